// What takes time, beside the page: photograph → 224 × 224 pixels → frozen network → 1,280 features → linear probe.
import * as ort from "./ort.wasm.min.mjs";
import * as probe from "./probe.js";
const SIDE = 224;
const BAND = 64; // rows of a photograph that are looked at together: 12 megapixels at once would be 48 MB
ort.env.wasm.numThreads = 1; // more need headers that not every server sends
ort.env.wasm.wasmPaths = new URL(".", import.meta.url).href;
const address = new URL("efficientnet_lite0_int8.onnx", import.meta.url).href;
const network = ort.InferenceSession.create(address, { graphOptimizationLevel: "extended" }); // "all" starts later

/** For each of `size` pixels: which of `length` pixels it is made of, and their weights; bicubic, as in Pillow. */
function bicubic(length, size) {
  const scale = length / size, stretch = Math.max(scale, 1);
  const curve = (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((2.5 - 0.5 * x) * x - 4) * x + 2 : 0);
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5));
    const last = Math.min(length, Math.trunc(centre + 2 * stretch + 0.5));
    const weights = Array.from({ length: last - first }, (_, k) => curve(Math.abs(first + k + 0.5 - centre) / stretch));
    const total = weights.reduce((a, b) => a + b);
    return { first, weights: weights.map((weight) => Math.round((weight / total) * 2 ** 22) / 2 ** 22) };
  });
}

/** The same for the means of `factor` pixels: large JPEGs are first reduced, as Python's decoder does it. */
const means = (length, factor) => Array.from({ length: Math.ceil(length / factor) }, (_, i) => {
  const count = Math.min(factor, length - i * factor);
  return { first: i * factor, weights: Array(count).fill(1 / count) };
});

/** Resize `lines` lines of pixels in one direction, to 8 bits. Steps say how far apart pixels and lines lie. */
function resample(source, pixelStep, lineStep, lines, filters, target, pixelOut, lineOut) {
  for (let line = 0; line < lines; line++)
    filters.forEach(({ first, weights }, i) => {
      for (let channel = 0; channel < 3; channel++) {
        let total = 0, place = line * lineStep + first * pixelStep + channel;
        for (let k = 0; k < weights.length; k++, place += pixelStep) total += weights[k] * source[place];
        target[line * lineOut + i * pixelOut + channel] = Math.floor(total + 0.5); // the array clips to 0 … 255
      }
    });
}

/** The whole photograph on white, resized to SIDE × SIDE with anti-aliasing, as tlcourse does it in Python. */
function resized(bitmap, factor) {
  const { width, height } = bitmap, columns = means(width, factor), across = bicubic(columns.length, SIDE);
  const row = SIDE * 3, narrow = new Uint8ClampedArray(Math.ceil(height / factor) * row);
  const low = new Uint8ClampedArray(BAND * width * 3), small = new Uint8ClampedArray(BAND * columns.length * 3);
  const context = new OffscreenCanvas(width, BAND).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  for (let top = 0; top < height; top += BAND) {
    context.fillRect(0, 0, width, BAND);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, BAND);
    const rows = means(Math.min(BAND, height - top), factor), target = narrow.subarray((top / factor) * row);
    resample(data, width * 4, 4, width, rows, low, width * 3, 3);
    resample(low, 3, width * 3, rows.length, columns, small, 3, columns.length * 3);
    resample(small, 3, columns.length * 3, rows.length, across, target, 3, row);
  }
  const pixels = new Uint8ClampedArray(SIDE * row);
  resample(narrow, row, 3, SIDE, bicubic(narrow.length / row, SIDE), pixels, row, 3);
  return pixels;
}

const calls = {
  /** Features of a file, or of an ImageBitmap of the camera. */
  async features(picture) {
    const isFile = picture instanceof Blob, options = { colorSpaceConversion: "none" };
    const bitmap = isFile ? await createImageBitmap(picture, options) : picture;
    const times = picture.type === "image/jpeg" ? Math.min(bitmap.width, bitmap.height) / (2 * SIDE) : 1;
    const pixels = Float32Array.from(resized(bitmap, [8, 4, 2].find((factor) => factor <= times) ?? 1));
    bitmap.close();
    return (await (await network).run({ pixels: new ort.Tensor("float32", pixels, [1, SIDE, SIDE, 3]) })).features.data;
  },
  load: async () => calls.features(await createImageBitmap(new ImageData(1, 1))), // the first run is the slow one
  ...probe,
};

let queue = Promise.resolve(); // one call at a time, in their order
self.onmessage = ({ data: { call, values } }) => {
  queue = queue.then(() => calls[call](...values))
    .then((value) => self.postMessage({ value }), (error) => self.postMessage({ error: String(error) }));
};
