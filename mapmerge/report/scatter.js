// Two objectives: the measured front with intervals, its predictions linked to it, and the baselines.
const DEPTH_ORDER = ["random", "dominated", "base", "expert", "uniform", "scalar", "front"];
const byDepth = (points) =>
  [...points].sort((a, b) => DEPTH_ORDER.indexOf(a.kind) - DEPTH_ORDER.indexOf(b.kind));

// Draw the points of two objectives into a box; return where they are.
function scatterMarks(root, scales, [across, up], points, { size = 5, bars = true } = {}) {
  const hits = [];
  for (const point of byDepth(points)) {
    const [x, y] = [scales.x.at(point.measured[across.name]), scales.y.at(point.measured[up.name])];
    if (!present(x) || !present(y)) continue;
    const group = pointGroup(point);
    if (bars && point.low && point.high && point.kind !== "random") {
      group.append(
        line(scales.x.at(point.low[across.name]), y, scales.x.at(point.high[across.name]), y, "bars"),
        line(x, scales.y.at(point.low[up.name]), x, scales.y.at(point.high[up.name]), "bars"),
      );
    }
    if (point.predicted && point.kind === "front") {
      const [px, py] = [scales.x.at(point.predicted[across.name]), scales.y.at(point.predicted[up.name])];
      group.append(line(px, py, x, y, "link"), mark("predicted", px, py, size));
    }
    group.append(mark(point.kind, x, y, point.kind === "random" || point.kind === "dominated" ? size * 0.8 : size));
    root.append(group);
    hits.push({ point, corners: [[x, y]] });
  }
  return hits;
}

function frame(root, box, scales) {
  for (const { value, text } of scales.x.ticks) {
    const x = scales.x.at(value);
    root.append(line(x, box.top, x, box.bottom, "grid"), words(x, box.bottom + 18, text, "tick", "middle"));
  }
  for (const { value, text } of scales.y.ticks) {
    const y = scales.y.at(value);
    root.append(line(box.left, y, box.right, y, "grid"), words(box.left - 8, y + 4, text, "tick", "end"));
  }
}

// The region that the front dominates, down to the reference point: its area is the hypervolume.
function attained(scales, [across, up], front) {
  const reference = data.hypervolume.reference_point;
  if (!reference || !present(reference[across.name]) || !present(reference[up.name]) || !front.length) return [];
  const [left, floor] = [scales.x.at(reference[across.name]), scales.y.at(reference[up.name])];
  const steps = front
    .map((point) => [scales.x.at(point.measured[across.name]), scales.y.at(point.measured[up.name])])
    .sort((a, b) => a[0] - b[0]);
  const corners = [];
  let reached = left;
  for (const [x, y] of steps) {
    const height = Math.min(y, floor);
    corners.push([reached, height]);
    reached = Math.max(reached, x);
    corners.push([reached, height]);
  }
  const region = [[left, floor], ...corners, [reached, floor]];
  return [path(region, "attained", true), path(corners, "staircase")];
}

// Put names where they hide neither marks nor other names; a name without room is left to the tooltip.
function nameMarks(root, hits, box, reserved = []) {
  const taken = hits.filter(({ point }) => point.kind !== "random").map(({ corners: [[x, y]] }) => [x - 6, y - 6, x + 6, y + 6]);
  taken.push(...reserved);
  const free = (area) => taken.every(([l, t, r, b]) => area[2] < l || area[0] > r || area[3] < t || area[1] > b);
  for (const { point, corners } of hits) {
    if (!["base", "expert", "uniform", "scalar"].includes(point.kind)) continue;
    const [x, y] = corners[0];
    if (x < box.left - 8 || x > box.right + 8 || y < box.top - 8 || y > box.bottom + 8) continue;
    const text = shorten(point.name, 150);
    const wide = breadth(text);
    const places = [[11, 4, "start"], [-11, 4, "end"], [0, -12, "middle"], [0, 21, "middle"], [9, -9, "start"], [-9, -9, "end"], [9, 18, "start"], [-9, 18, "end"]];
    for (const [dx, dy, anchor] of places) {
      const start = x + dx - { start: 0, middle: wide / 2, end: wide }[anchor];
      const area = [start, y + dy - 11, start + wide, y + dy + 3];
      if (area[0] < box.left || area[2] > box.right || area[1] < box.top - 6 || area[3] > box.bottom || !free(area)) continue;
      taken.push(area);
      root.append(svg("g", { class: `kind-${point.kind}` }, words(x + dx, y + dy, text, "name", anchor)));
      break;
    }
  }
}

function drawScatter(root, width, height) {
  const [across, up] = data.objectives;
  const box = { left: width < 480 ? 46 : 58, top: 46, right: width - 18, bottom: height - 54 };
  const about = clamp(Math.floor(width / 90), 3, 8);
  const scales = {
    x: objectiveScale(across, stage.points, box.left, box.right, { zoomed: stage.zoomed, about }),
    y: objectiveScale(up, stage.points, box.bottom, box.top, { zoomed: stage.zoomed, about: 6 }),
  };
  frame(root, box, scales);
  const plane = clip(root, box);
  const front = stage.points.filter((point) => point.kind === "front");
  plane.append(...attained(scales, [across, up], front));
  const hits = scatterMarks(plane, scales, [across, up], stage.points);
  nameMarks(plane, hits, box);
  const room = box.right - box.left;
  root.append(
    words(box.left - (width < 480 ? 38 : 46), 18, shorten(`↑ ${up.name}`, room * 0.9, 13), "title"),
    words(box.left - (width < 480 ? 38 : 46), 34, shorten(metricWords(up), room, 12), "note"),
    words(box.right, height - 20, shorten(`${across.name} →`, room * 0.9, 13), "title", "end"),
    words(box.right, height - 4, shorten(metricWords(across), room, 12), "note", "end"),
  );
  return hits;
}
