// One shape a kind, so that colour is never the only difference.
const KINDS = ["front", "predicted", "dominated", "base", "expert", "uniform", "scalar", "random"];
const LEGEND_WORDS = {
  front: "on the front, measured",
  predicted: "its prediction",
  dominated: "measured, dominated",
  base: "base model",
  expert: "single experts",
  uniform: "uniform merge",
  scalar: "best scalar",
  random: "random search",
};

function star(x, y, radius) {
  return Array.from({ length: 10 }, (_, place) => {
    const angle = (place * Math.PI) / 5 - Math.PI / 2;
    const reach = place % 2 ? radius * 0.45 : radius;
    return [x + reach * Math.cos(angle), y + reach * Math.sin(angle)];
  });
}

function mark(kind, x, y, size = 5) {
  const style = `mark mark-${kind}`;
  const s = size;
  switch (kind) {
    case "front":
      return svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: s.toFixed(1), class: style });
    case "predicted":
      return svg("ellipse", { cx: x.toFixed(1), cy: y.toFixed(1), rx: (s * 0.7).toFixed(1), ry: (s * 0.7).toFixed(1), class: style });
    case "dominated":
      return path([[x - s, y - s * 0.8], [x + s, y - s * 0.8], [x, y + s]], style, true);
    case "base":
      return path([[x - s, y - s], [x + s, y - s], [x + s, y + s], [x - s, y + s]], style, true);
    case "expert":
      return path([[x, y - s * 1.3], [x + s * 1.2, y + s], [x - s * 1.2, y + s]], style, true);
    case "uniform":
      return path([[x, y - s * 1.4], [x + s * 1.4, y], [x, y + s * 1.4], [x - s * 1.4, y]], style, true);
    case "scalar":
      return path(star(x, y, s * 1.6), style, true);
    default: {
      const r = s * 0.62;
      const cross = `M${(x - r).toFixed(1)} ${(y - r).toFixed(1)}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;
      return svg("path", { d: cross, class: style });
    }
  }
}

// The group of one point: linked in every figure by its key, and raised when picked.
function pointGroup(point, ...children) {
  return svg("g", { class: `point kind-${point.kind}`, "data-key": point.key }, ...children);
}

// Buttons that name the shapes and switch them on and off in every figure.
function legend(kinds, stage) {
  const box = html("div", { class: "legend", role: "group", "aria-label": "Shown in the figures" });
  for (const kind of kinds) {
    const shape = svg("svg", { width: 18, height: 18, viewBox: "0 0 18 18", "aria-hidden": "true" }, mark(kind, 9, 9, 4.6));
    const button = html("button", { type: "button", class: "key", "aria-pressed": "true" }, shape, LEGEND_WORDS[kind]);
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      stage.show(kind, shown);
    });
    box.append(button);
  }
  return box;
}
