// Scales and ticks. An axis knows which end is better, and puts it where the figure wants it.
function niceTicks(low, high, about) {
  const raw = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) ticks.push(index * step);
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const exact = Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) < 1e-6 ? digits : digits + 1;
  return ticks.map((value) => ({ value, text: number(value, exact) }));
}

function extent(values, margin = 0.06) {
  const finite = values.filter(present);
  if (!finite.length) return [0, 1];
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const room = high > low ? (high - low) * margin : Math.max(Math.abs(low) * 0.05, 0.01);
  return [low - room, high + room];
}

// A scale from [low, high] onto pixels where `worse` and `better` are the pixel ends.
function scale([low, high], worse, better, turned = false, about = 5) {
  const [first, last] = turned ? [better, worse] : [worse, better];
  const at = (value) => first + ((value - low) / (high - low)) * (last - first);
  return { at, low, high, ticks: niceTicks(low, high, about) };
}

// All scores of one objective that a figure has to hold; zoomed: only what was delivered.
function scoresOf(objective, points, zoomed) {
  const values = [];
  for (const point of points) {
    const delivered = point.kind === "front" || point.kind === "dominated";
    if (zoomed && !delivered) continue;
    values.push(point.measured[objective.name]);
    if (point.kind === "random") continue;
    values.push(point.low?.[objective.name], point.high?.[objective.name]);
    if (delivered) values.push(point.predicted?.[objective.name]);
  }
  return values;
}

const turned = (objective) => objective.direction === "minimize";

function objectiveScale(objective, points, worse, better, { zoomed = false, about = 5 } = {}) {
  const range = extent(scoresOf(objective, points, zoomed));
  // No room is left beyond what the metric can reach: an accuracy above 1 would be a lie of the axis.
  if (present(objective.upper)) range[1] = Math.min(range[1], Math.max(objective.upper, range[0] + 1e-9));
  if (present(objective.lower)) range[0] = Math.max(range[0], Math.min(objective.lower, range[1] - 1e-9));
  return scale(range, worse, better, turned(objective), about);
}

const metricWords = (objective) =>
  `${objective.metric.replaceAll("_", " ")}, ${turned(objective) ? "lower" : "higher"} is better`;
