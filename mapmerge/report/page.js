// Where the parts meet: read the data, mount the figures, pick the balanced model first.
const data = JSON.parse(byId("data").textContent);
stage.points = recordsOf(data.points).map((point, place) => ({ ...point, key: `k${place}` }));
data.history = recordsOf(data.history);
for (const fit of Object.values(data.surrogates)) fit.loo = recordsOf(fit.loo);
const front = stage.points.filter((point) => point.kind === "front");
const many = data.objectives.length;

function describe(id, text) {
  byId(id).textContent = text;
}

function controlButton(text, pressed, act) {
  const button = html("button", { type: "button", class: "control", "aria-pressed": pressed === null ? null : String(pressed) }, text);
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    if (pressed !== null) button.setAttribute("aria-pressed", String(on));
    act(on);
  });
  return button;
}

function mountControls(turning) {
  const shown = new Set(stage.points.map((point) => point.kind));
  if (front.some((point) => point.predicted)) shown.add("predicted");
  const buttons = html("div", { class: "views" }, controlButton("Zoom to the front", false, (on) => {
    stage.zoomed = on;
    stage.redraw();
  }));
  if (turning) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still) buttons.append(controlButton("Rotate", false, (on) => turning.spin(on)));
    buttons.append(controlButton("Reset view", null, () => turning.home()));
  }
  byId("front-controls").append(legend(KINDS.filter((kind) => shown.has(kind)), stage), buttons);
}

// Left and right walk along the front, from the best in the first objective to the worst.
function mountWalking(holder) {
  const first = data.objectives[0];
  const sign = turned(first) ? 1 : -1;
  const order = [...front].sort((a, b) => sign * (a.measured[first.name] - b.measured[first.name]));
  holder.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: 1, ArrowRight: -1 }[event.key];
    if (!step || !order.length) return;
    event.preventDefault();
    const place = order.indexOf(stage.picked);
    stage.pick(order[clamp(place < 0 ? 0 : place + step, 0, order.length - 1)], "by hand");
  });
}

const level = `${Math.round(100 * (data.hypervolume.level ?? 0.9))}%`;
const names = data.objectives.map((objective) => objective.name).join(", ");
const holder = byId("figure-front");
const counted = `${front.length} measured front point${front.length === 1 ? "" : "s"}`;
let turning = null;

if (many === 2) {
  const label = `Scatter of ${counted} over ${names}, with intervals, predictions and baselines. Left and right arrows walk along the front.`;
  holder.setAttribute("aria-label", label);
  mountFigure(holder, { label, height: (width) => clamp(width * 0.78, 340, 620), draw: drawScatter });
  mountWalking(holder);
  describe("caption-front", `The measured front with ${level} intervals. A thin line leads from each measurement to what the surrogates had predicted for it. The shaded area is the hypervolume, down to the reference point.`);
} else if (many === 3) {
  const label = `Box of ${counted} over ${names}. Arrow keys turn it.`;
  holder.setAttribute("aria-label", label);
  turning = mountSpace(holder, label);
  describe("caption-front", `The measured front in all three objectives; drag or use the arrow keys to turn it. Stems lead down to the floor, thin bars are ${level} intervals, rings are the predictions.`);
} else {
  const label = `Parallel coordinates of ${counted} over ${names}. Left and right arrows walk along the front.`;
  holder.setAttribute("aria-label", label);
  holder.classList.add("scroll");
  mountFigure(holder, { label, height: parallelHeight, least: parallelLeast(), draw: drawParallel });
  mountWalking(holder);
  describe("caption-front", `Each line is one measured model, each axis one objective, better is up. The picked model also shows its ${level} intervals and, dashed with rings, what was predicted.`);
}
mountControls(turning);

if (many > 2 && many <= MOST_PAIRED) {
  byId("pairs").hidden = false;
  const pairs = byId("figure-pairs");
  const label = `Every pair of ${names}, as scatters of ${counted} and the baselines. Left and right arrows walk along the front.`;
  pairs.setAttribute("aria-label", label);
  mountFigure(pairs, { label, height: pairsHeight, least: pairsLeast(), draw: drawPairs });
  mountWalking(pairs);
  describe("caption-pairs", "The same models, two objectives at a time; better is up and to the right. A point may look dominated in one pair and earn its place in another.");
}

if (data.history.length) {
  const label = "Hypervolume of the search-split scores by cumulative evaluations, a step a round.";
  mountFigure(byId("figure-history"), { label, height: (width) => clamp(width * 0.34, 240, 340), draw: drawHistory });
  describe("caption-history", "Hypervolume of the best models so far, on search items; a mark stands where a round ended.");
}
if (data.comparisons.length) {
  const label = "Hypervolume of the front minus that of each baseline, with intervals.";
  mountFigure(byId("figure-comparisons"), { label, height: comparisonsHeight, draw: drawComparisons });
  describe("caption-comparisons", `Right of the line the front is better. Bars are ${level} intervals.`);
}
if (Object.keys(data.surrogates).length) {
  const label = "Left-out predictions against measurements, a panel an objective.";
  mountFigure(byId("figure-surrogates"), { label, height: surrogatesHeight, draw: drawSurrogates });
  describe("caption-surrogates", "Points on the diagonal were predicted exactly. Better is up and to the right. Of many, some that are evenly spread are shown.");
}
mountTable(byId("all-points"));
mountPicker(front);
mountDrill();
