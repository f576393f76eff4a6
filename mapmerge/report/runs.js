// Tick two runs: both fronts over each other, and what their paired redraws say.
const data = JSON.parse(byId("data").textContent);
const ticks = [...document.querySelectorAll(".choose")];
let ticked = [];

// Linear between the ordered values, as the quantiles of the command line are.
function quantile(values, share) {
  const ordered = [...values].sort((a, b) => a - b);
  const place = share * (ordered.length - 1);
  const below = Math.floor(place);
  return ordered[below] + (place - below) * ((ordered[below + 1] ?? ordered[below]) - ordered[below]);
}

// The pivotal interval of a difference over paired redraws, widened to hold the difference.
function pairedDifference(one, other) {
  const value = one.value - other.value;
  const draws = one.redrawn.map((volume, place) => volume - other.redrawn[place]);
  const [low, high] = [0.5 - one.level / 2, 0.5 + one.level / 2].map((share) => quantile(draws, share));
  return { value, low: Math.min(2 * value - high, value), high: Math.max(2 * value - low, value) };
}

const sameObjectives = (one, other) => JSON.stringify(one.objectives) === JSON.stringify(other.objectives);

function verdict(one, other) {
  if (!sameObjectives(one, other)) return "They have different objectives: their fronts cannot be laid over each other.";
  if (one.items !== other.items) return "They were measured on different held-out items: there is no paired verdict.";
  if (one.unit !== other.unit) return "Their unmerged models score differently, so that their hypervolumes have different units; the command below puts both into those of the first.";
  const lost = [one, other].filter(({ redrawn }) => !redrawn).map(({ run_id: name }) => name);
  if (lost.length) return `The ledger no longer has every evaluation of ${lost.join(" and ")}: there is no paired verdict.`;
  const { value, low, high } = pairedDifference(one, other);
  const judged = low > 0 ? "better" : high < 0 ? "worse" : "no difference beyond the noise";
  const sign = value > 0 ? "+" : "";
  return `${one.run_id} against ${other.run_id}: ${judged}. Hypervolume ${sign}${number(value)}, ${Math.round(100 * one.level)}% interval ${between(low, high)}, on the same redrawn items.`;
}

function comparedTable(pair) {
  const heads = ["Run", "Study", "Method", "Seed", "Paid", "Points", "Hypervolume"];
  const head = heads.map((text, place) => html("th", { scope: "col", class: place > 2 ? "num" : null }, text));
  const rows = pair.map((run, side) => {
    const shape = svg("svg", { class: "key-mark", width: 18, height: 18, viewBox: "0 0 18 18", "aria-hidden": "true" }, mark(SIDES[side], 9, 9, 4.6));
    const name = run.href ? html("a", { href: run.href }, run.run_id) : run.run_id;
    const numbers = [run.seed, run.paid, run.points.length].map((value) => html("td", { class: "num" }, String(value ?? "–")));
    const volume = html("td", { class: "num" }, number(run.value), html("small", {}, between(run.low, run.high)));
    return html("tr", {}, html("th", { scope: "row" }, shape, name), html("td", {}, run.study ?? "–"), html("td", {}, run.method ?? "–"), ...numbers, volume);
  });
  const table = html("table", {}, html("caption", { class: "unseen" }, "The two runs"), html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
  return html("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "The two runs" }, table);
}

// A word of a shell command, quoted where the shell would read more into it.
const shellWord = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function drawFronts(pair) {
  const holder = byId("figure-compare");
  const { objectives } = pair[0];
  holder.classList.toggle("scroll", objectives.length > 2);
  for (const [name, value] of [["tabindex", "0"], ["aria-label", "Both fronts"]]) holder.setAttribute(name, value);
  const names = objectives.map(({ name }) => name).join(", ");
  drawOverlay(holder, `The fronts of ${pair.map((run) => run.run_id).join(" and ")} over ${names}.`, objectives, pair);
}

function showCompared() {
  const pair = ticked.map((place) => data[place]);
  byId("compared").hidden = pair.length < 2;
  if (pair.length < 2) {
    const first = pair.length ? `${pair[0].run_id} is ticked; tick another one.` : "Tick two complete runs in the table above.";
    byId("compare-status").textContent = first;
    return;
  }
  byId("compare-status").textContent = verdict(...pair);
  const command = `mapmerge compare ${pair.map((run) => shellWord(run.uri)).join(" ")}`;
  byId("compare-table").replaceChildren(comparedTable(pair), html("code", { class: "command", tabindex: 0 }, command));
  const same = sameObjectives(...pair);
  byId("compare-figure").hidden = !same;
  if (!same) return;
  drawFronts(pair);
  byId("caption-compare").textContent = `Measured scores on held-out items; better is ${pair[0].objectives.length === 2 ? "up and to the right" : "up"}.`;
}

for (const tick of ticks) {
  tick.addEventListener("change", () => {
    const place = Number(tick.value);
    ticked = ticked.filter((other) => other !== place);
    // A third tick takes the place of the first.
    if (tick.checked) ticked = [...ticked, place].slice(-2);
    for (const other of ticks) other.checked = ticked.includes(Number(other.value));
    showCompared();
  });
  tick.checked = false; // a browser that goes back may have kept it
}
let drawnAt = 0;
new ResizeObserver(([{ contentRect }]) => {
  if (contentRect.width === drawnAt) return;
  drawnAt = contentRect.width;
  if (ticked.length === 2 && !byId("compare-figure").hidden) requestAnimationFrame(() => drawFronts(ticked.map((place) => data[place])));
}).observe(byId("compare"));
const table = byId("runs").querySelector("table");
if (table) mountSorting(table);
