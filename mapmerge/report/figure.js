// A figure redraws at the width it is given, answers to the nearest mark, and shares the picked point with all others.
const stage = {
  points: [],
  hidden: new Set(),
  zoomed: false,
  figures: [],
  listeners: [],
  picked: null,

  show(kind, shown) {
    if (shown) this.hidden.delete(kind);
    else this.hidden.add(kind);
    byId("front").classList.toggle(`without-${kind}`, !shown);
  },
  redraw() {
    for (const figure of this.figures) figure.redraw();
  },
  pick(point, how) {
    this.picked = point;
    this.raise();
    for (const listener of this.listeners) listener(point, how);
  },
  raise() {
    for (const node of document.querySelectorAll(".point.picked, .point.alike")) node.classList.remove("picked", "alike");
    if (!this.picked) return;
    for (const point of this.points.filter((other) => this.picked.indistinguishable_from?.includes(nameAmongAlike(other)))) {
      for (const node of document.querySelectorAll(`.point[data-key="${point.key}"]`)) node.classList.add("alike");
    }
    for (const node of document.querySelectorAll(`.point[data-key="${this.picked.key}"]`)) {
      node.classList.add("picked");
      if (!node.closest(".space")) node.parentNode.append(node);
    }
  },
  near(point) {
    for (const node of document.querySelectorAll(".point.near")) node.classList.remove("near");
    if (!point) return;
    for (const node of document.querySelectorAll(`.point[data-key="${point.key}"]`)) node.classList.add("near");
  },
};

// What a point is called where another one says which it cannot be told apart from.
const nameAmongAlike = ({ kind, name }) => ({ front: name, base: "base", uniform: "uniform", scalar: "best_scalar", expert: `expert ${name}` })[kind];

const pickable = (point) => point.kind === "front" || point.kind === "dominated";

function distance([x, y], corners) {
  if (corners.length === 1) return Math.hypot(x - corners[0][0], y - corners[0][1]);
  let least = Infinity;
  for (let place = 1; place < corners.length; place += 1) {
    const [[ax, ay], [bx, by]] = [corners[place - 1], corners[place]];
    const length = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
    const along = clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1);
    least = Math.min(least, Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)));
  }
  return least;
}

// Return the nearest shown point within reach; measured models on the front win a near tie.
function nearest(hits, spot, reach = 22) {
  let found = null;
  let least = reach;
  for (const hit of hits) {
    if (stage.hidden.has(hit.point.kind)) continue;
    const away = distance(spot, hit.corners) + (pickable(hit.point) ? 0 : 2);
    if (away < least) [found, least] = [hit.point, away];
  }
  return found;
}

function mountFigure(holder, { label, height, least = 0, draw, dragging = () => false }) {
  const figure = { hits: [], width: 0 };
  holder.replaceChildren();
  const root = svg("svg", { role: "img", "aria-label": label });
  holder.append(root);
  figure.redraw = () => {
    const width = Math.max(holder.clientWidth, least, 240);
    const tall = height(width);
    figure.width = width;
    fill(root, { width, height: tall, viewBox: `0 0 ${width} ${tall}` }, []);
    root.replaceChildren();
    figure.hits = draw(root, width, tall) ?? [];
    stage.raise();
  };
  const spotOf = (event) => {
    const frame = root.getBoundingClientRect();
    const stretch = figure.width / (frame.width || 1);
    return [(event.clientX - frame.left) * stretch, (event.clientY - frame.top) * stretch];
  };
  root.addEventListener("pointermove", (event) => {
    const point = dragging() ? null : nearest(figure.hits, spotOf(event));
    root.classList.toggle("over", Boolean(point && pickable(point)));
    stage.near(point);
    showTip(point, event);
  });
  root.addEventListener("pointerleave", () => {
    stage.near(null);
    showTip(null);
  });
  root.addEventListener("click", (event) => {
    const point = dragging() ? null : nearest(figure.hits, spotOf(event));
    if (point && pickable(point)) stage.pick(point, "by hand");
  });
  const refit = () => {
    if (Math.max(holder.clientWidth, least, 240) !== figure.width) figure.redraw();
  };
  new ResizeObserver(() => requestAnimationFrame(refit)).observe(holder);
  stage.figures.push(figure);
  figure.redraw();
  return figure;
}

function showTip(point, event) {
  const tip = byId("tip");
  tip.hidden = !point;
  if (!point) return;
  const rows = data.objectives.map((objective) => {
    const digits = data.decimals[objective.name];
    const { low, high } = point;
    const spread = low && high ? between(low[objective.name], high[objective.name], digits) : "";
    return html("tr", {}, html("th", {}, objective.name), html("td", {}, number(point.measured[objective.name], digits)), html("td", {}, spread));
  });
  tip.replaceChildren(html("b", {}, point.name), html("span", {}, ` ${data.words[point.kind]}`), html("table", {}, html("tbody", {}, ...rows)));
  const frame = tip.getBoundingClientRect();
  const x = event.clientX + 16 + frame.width > innerWidth ? event.clientX - frame.width - 12 : event.clientX + 16;
  const y = event.clientY + 16 + frame.height > innerHeight ? event.clientY - frame.height - 12 : event.clientY + 16;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.max(4, y)}px`;
}
