// The linear probe: L2-regularised logistic regression on standardised features, as tlcourse's LinearProbe(C=0.01).
const C = 0.01; // inverse regularisation strength
const PRIOR_ROWS = 10; // with few rows a variance is noise: it is shrunk to the mean, as if so many rows had that

const sum = (values) => values.reduce((total, value) => total + value, 0);
function dot(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  return exponentials.map((value) => value / sum(exponentials));
}

/** Train on features (arrays of equal length) and labels 0 … classes − 1: a weight vector and a bias per class. */
export function train(features, labels, classes) {
  const size = features.length;
  const mean = Float64Array.from(features[0], (_, j) => sum(features.map((row) => row[j])) / size);
  const variance = mean.map((middle, j) => sum(features.map((row) => (row[j] - middle) ** 2)) / size);
  const prior = PRIOR_ROWS * (sum(variance) / variance.length);
  const scale = variance.map((value) => Math.sqrt((size * value + prior) / (size + PRIOR_ROWS)) || 1);
  const inputs = features.map((row) => mean.map((middle, j) => (row[j] - middle) / scale[j]));
  // There are fewer photographs than features, so we look for one coefficient per photograph and class: the weights are
  // the sums of the inputs times these. Inputs meet only in products of two.
  const products = inputs.map((a) => Float64Array.from(inputs, (b) => dot(a, b)));
  const strength = classes === 2 ? C / 2 : C; // of two classes scikit-learn regularises only the difference
  // Gradient descent with Nesterov's momentum; the second derivative is at most `curvature` (Böhning, 1992).
  const curvature = 1 + (strength / 2) * Math.max(...products.map((row) => sum(row.map(Math.abs))));
  const momentum = (Math.sqrt(curvature) - 1) / (Math.sqrt(curvature) + 1);
  let now = Array.from({ length: classes }, () => new Float64Array(size + 1)); // the last coefficient is the bias
  for (let step = 0, change = Infinity, before = now; step < 2000 && change > 1e-5 * strength; step++) {
    const ahead = now.map((row, c) => row.map((value, i) => value + momentum * (value - before[c][i])));
    const errors = labels.map((label, i) => {
      const probabilities = softmax(ahead.map((row) => dot(products[i], row) + row[size]));
      return probabilities.map((probability, c) => Number(c === label) - probability);
    });
    before = now;
    now = ahead.map((row, c) => row.map((value, i) => i === size
      ? value + sum(errors.map((error) => error[c])) / (size / 2)
      : value - (value - strength * errors[i][c]) / curvature));
    change = Math.max(...now.map((row, c) => Math.max(...row.map((value, i) => Math.abs(value - before[c][i])))));
  }
  const weights = now.map((row) => scale.map((by, j) => sum(inputs.map((input, i) => row[i] * input[j])) / by));
  return { weights, bias: now.map((row, c) => row[size] - dot(weights[c], mean)) };
}

export const predict = (probe, row) => softmax(probe.weights.map((weights, c) => dot(weights, row) + probe.bias[c]));

/** The cosine similarity of one row of features with each of others. */
export const similarities = (a, others) => others.map((b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));

/** Whether photograph `left` is classified correctly by a probe that was trained on the others. */
export function leaveOut(left, features, labels, classes) {
  const others = (_, i) => i !== left;
  const probabilities = predict(train(features.filter(others), labels.filter(others), classes), features[left]);
  return probabilities.indexOf(Math.max(...probabilities)) === labels[left];
}
