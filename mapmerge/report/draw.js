// Elements, text and numbers: every string from the result enters the page as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const html = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const present = (value) => typeof value === "number" && Number.isFinite(value);

function line(x1, y1, x2, y2, style) {
  return svg("line", { x1: x1.toFixed(1), y1: y1.toFixed(1), x2: x2.toFixed(1), y2: y2.toFixed(1), class: style });
}

function path(corners, style, closed = false) {
  const steps = corners.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
  return svg("path", { d: steps.join("") + (closed ? "Z" : ""), class: style });
}

function words(x, y, text, style, anchor = "start") {
  return svg("text", { x: x.toFixed(1), y: y.toFixed(1), class: style, "text-anchor": anchor }, text);
}

// About as wide as the figures' sans serif sets it; only used to keep labels from overlapping or leaving.
const breadth = (text, size = 12) => [...text].length * size * 0.56;

function shorten(text, room, size = 12) {
  const letters = [...text];
  const most = Math.max(3, Math.floor(room / (size * 0.56)));
  return letters.length <= most ? text : letters.slice(0, most - 1).join("") + "…";
}

function number(value, digits = 3) {
  if (!present(value)) return "–";
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

const between = (low, high, digits) => `[${number(low, digits)}, ${number(high, digits)}]`;

let clips = 0;
function clip(root, box) {
  const id = `clip-${(clips += 1)}`;
  const frame = svg("rect", { x: box.left - 8, y: box.top - 8, width: box.right - box.left + 16, height: box.bottom - box.top + 16 });
  root.append(svg("clipPath", { id }, frame));
  const group = svg("g", { "clip-path": `url(#${id})` });
  root.append(group);
  return group;
}
