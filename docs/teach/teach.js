// "Teach it yourself": photographs in boxes → features (worker.js) → linear probe → probabilities. Nothing is uploaded.
const here = new URL(".", document.currentScript.src);
const get = (id) => document.getElementById(id);
const examples = Object.entries(JSON.parse(get("teach").dataset.examples));
const HUES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00"]; // Okabe and Ito's; one per box, which is the most
const TO_TEACH = 5, MOST_SIMILAR = 3;
const boxes = []; // { name, hue, field, list, pictures: [{ name, url, features, element }] }
let probe = null, shown = null, stream = null, dragged = null, version = 0;

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
const say = (sentence) => (get("status").textContent = sentence);
const complain = (sentence) => ((get("alert").textContent = sentence), (get("alert").hidden = !sentence));
const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const worker = new Worker(new URL("worker.js", here), { type: "module" }); // throws where no server is: see page.html
const waiting = []; // it answers calls in their order
const ask = (call, ...values) => new Promise((resolve, reject) => {
  waiting.push({ resolve, reject });
  worker.postMessage({ call, values });
});
worker.onmessage = ({ data: { value, error } }) => waiting.shift().resolve(error ? Promise.reject(Error(error)) : value);
worker.onerror = () => waiting.splice(0).forEach((call) => call.reject(Error("It did not start.")));
say("Loading the frozen network (15 MB, once) …");
const [ready, NOT_LOADED] = [ask("load"), "The network could not be loaded. Check the connection, and reload the page."];
ready.then(update, () => complain(NOT_LOADED));

/** A file with its features; nothing, and a sentence, if it is no picture. */
async function read(file) {
  if (!(await ready.then(() => true, () => false))) return complain(NOT_LOADED);
  const start = performance.now();
  try {
    const features = await ask("features", file);
    say(`${file.name}: ${features.length} features in ${Math.ceil(performance.now() - start)} ms`);
    return { name: file.name, features, url: URL.createObjectURL(file) };
  } catch {
    complain(`${file.name} is not a picture that this browser can open. Choose a JPEG, PNG or WebP file.`);
  }
}

async function put(box, files) {
  complain("");
  for (const file of files) {
    const picture = await read(file);
    const isThis = ({ features }) => features.every((value, i) => value === picture.features[i]);
    if (!picture || box.pictures.some(isThis)) continue; // leave-one-out would find the copy
    const image = make("img", { src: picture.url, alt: `${picture.name}: remove it from the box` });
    picture.element = make("button", { className: "picture", title: `Remove ${picture.name}` }, image);
    picture.element.onclick = () => {
      box.pictures.splice(box.pictures.indexOf(picture), 1);
      URL.revokeObjectURL(picture.url);
      (picture.element.nextSibling ?? box.field).focus();
      picture.element.remove();
      update();
    };
    box.pictures.push(picture);
    box.list.append(picture.element);
  }
  update();
}

function addBox() {
  const box = { name: `box ${boxes.length + 1}`, hue: HUES[boxes.length], pictures: [] };
  box.list = make("div", { className: "pictures" });
  box.field = make("input", { className: "name", value: box.name, maxLength: 24, ariaLabel: "Name of this box" });
  box.field.oninput = () => ((box.name = box.field.value.trim() || "unnamed"), answer());
  const files = make("input", { type: "file", accept: "image/*", multiple: true });
  const choose = make("label", { className: "button" }, "Add photographs", files);
  const camera = make("button", { textContent: "Camera", onclick: () => addFromCamera(box) });
  const look = { className: "box", style: `--hue: ${box.hue}` };
  const element = make("div", look, box.field, box.list, choose, " ", camera);
  accept(element, files, (chosen) => put(box, chosen));
  get("boxes").append(element);
  get("add").hidden = boxes.push(box) === HUES.length;
  return box;
}

/** Take files that are chosen, and files and examples that are dropped. */
function accept(element, input, take) {
  const over = (is) => (event) => (event.preventDefault(), element.classList.toggle("over", is));
  Object.assign(element, { ondragover: over(true), ondragleave: over(false) });
  element.ondrop = async (event) => {
    over(false)(event);
    take(dragged ? [await example(...dragged)] : [...event.dataTransfer.files]);
  };
  input.onchange = () => take([...input.files]).then(() => (input.value = ""));
}

/** Train and classify anew, then leave out one photograph at a time; a later change puts an end to this. */
async function update() {
  const mine = ++version, used = boxes.filter((box) => box.pictures.length);
  const pictures = used.flatMap((box, label) => box.pictures.map((picture) => ({ ...picture, box, label })));
  const features = pictures.map((picture) => picture.features), labels = pictures.map((picture) => picture.label);
  const weights = used.length > 1 && (await ask("train", features, labels, used.length));
  if (mine !== version) return;
  probe = weights && { weights, used, pictures, features };
  pictures.forEach(({ element }) => element.classList.remove("wrong"));
  get("accuracy").textContent = probe ? `Linear probe trained on ${pictures.length} photographs.` : "";
  await answer();
  if (!probe) return say("Ready: put photographs of two kinds of things into two boxes.");
  if (used.some((box) => box.pictures.length === 1)) return; // without it there would be a class less
  let right = 0;
  for (const [i, picture] of pictures.entries()) {
    const isRight = await ask("leaveOut", i, features, labels, used.length);
    if (mine !== version) return;
    picture.element.classList.toggle("wrong", !isRight);
    right += isRight;
  }
  get("accuracy").textContent += ` Leave-one-out: ${right} of them are right, ${percent(right / pictures.length)}.`;
}

/** Show what the probe says about the new photograph. */
async function answer() {
  if ((get("answer").hidden = !probe || !shown)) return;
  const { weights, used, pictures, features } = probe, row = shown.features;
  const [shares, similar] = await Promise.all([ask("predict", weights, row), ask("similarities", row, features)]);
  const best = used[shares.indexOf(Math.max(...shares))].name;
  if (get("verdict").textContent !== best) get("verdict").textContent = best; // spoken when it changes
  get("bars").replaceChildren(...used.map(({ name, hue }, i) => {
    const bar = make("span", { className: "bar", style: `width: ${100 * shares[i]}%; background: ${hue}` });
    return make("li", {}, make("span", {}, name), make("span", {}, percent(shares[i])), bar);
  }));
  const order = [...pictures.keys()].sort((a, b) => similar[b] - similar[a]).slice(0, MOST_SIMILAR);
  get("nearest").replaceChildren(...order.map((i) => make("figure", {},
    make("img", { src: pictures[i].url, alt: `${pictures[i].name}, a training photograph` }),
    make("figcaption", {}, `${pictures[i].box.name} ${similar[i].toFixed(2)}`))));
}

async function show([file]) {
  complain("");
  stopCamera();
  const picture = await read(file);
  if (!picture) return;
  const image = { src: picture.url, alt: `New photograph: ${picture.name}`, onload: () => URL.revokeObjectURL(picture.url) };
  get("preview").replaceChildren(make("img", image));
  shown = picture;
  await answer();
}
const video = make("video", { muted: true, playsInline: true, ariaLabel: "What the camera sees" });
function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  get("camera").textContent = "Use the camera";
}
async function startCamera() {
  complain("");
  const opened = await navigator.mediaDevices?.getUserMedia({ video: { facingMode: "environment" } }).catch(() => null);
  stopCamera(); // a second click, while the browser asked, has opened another stream
  stream = opened;
  if (!stream) return complain("No camera was found, or the browser does not allow it. Choose photographs instead.");
  get("camera").textContent = "Stop the camera";
  video.srcObject = stream;
  get("preview").replaceChildren(video);
  await video.play().catch(() => {}); // such a second stream interrupts it
  for (; stream === opened; await answer())
    shown = { features: await ask("features", await createImageBitmap(video)) };
}
async function addFromCamera(box) {
  if (!stream) return startCamera();
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => put(box, [new File([blob], `photograph ${box.pictures.length + 1}`)]));
}

const address = (kind, name) => new URL(`${kind}/${name}.jpg`, here).href;
async function example(kind, name) {
  return new File([await (await fetch(address(kind, name))).blob()], name.replaceAll("_", " "));
}
/** Put examples into the box of their kind; else into an unused one, which takes its name, or a new one. */
async function teach(kind, names) {
  const isUnused = (box) => !box.pictures.length && /^box \d$/.test(box.name), isRoom = boxes.length < HUES.length;
  const box = boxes.find((box) => box.name === kind) ?? boxes.find(isUnused) ?? (isRoom && addBox());
  if (!box) return complain(`There are ${HUES.length} boxes, which is the most. Rename one to ${kind}.`);
  box.name = box.field.value = kind;
  await put(box, await Promise.all(names.map((name) => example(kind, name))));
}
for (const [kind, names] of examples) {
  const pictures = names.map((name, i) => {
    const isNew = i >= TO_TEACH, image = make("img", { src: address(kind, name), alt: `${kind}: ${name}` });
    const button = make("button", { className: `picture ${isNew ? "new" : ""}`, draggable: true }, image);
    button.onclick = async () => (isNew ? show([await example(kind, name)]) : teach(kind, [name]));
    return Object.assign(button, { ondragstart: () => (dragged = [kind, name]), ondragend: () => (dragged = null) });
  });
  const all = make("button", { textContent: `Add five: ${kind}` });
  all.onclick = () => teach(kind, names.slice(0, TO_TEACH));
  get("examples").append(make("div", { className: "pictures" }, all, ...pictures));
}
[1, 2].forEach(() => addBox());
accept(get("test"), get("file"), show);
get("add").onclick = () => addBox().field.focus();
get("camera").onclick = () => (stream ? stopCamera() : startCamera());
get("demonstrate").onclick = async () => {
  for (const [kind, names] of examples.slice(0, 2)) await teach(kind, names.slice(0, TO_TEACH));
  await show([await example(examples[0][0], examples[0][1][TO_TEACH])]);
  get("answer").scrollIntoView({ block: "nearest" });
};
