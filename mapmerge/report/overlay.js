// Two fronts in one figure: each side has a shape, a colour and a line of its own.
const SIDES = ["front", "expert"];

function gainsFirst(objectives, points) {
  const sign = turned(objectives[0]) ? -1 : 1;
  return [...points].sort((a, b) => sign * (b[0] - a[0]));
}

function sharedScale(objective, place, fronts, worse, better, about) {
  const range = extent(fronts.flatMap((front) => front.points.map((point) => point[place])));
  return scale(range, worse, better, turned(objective), about);
}

function overlayScatter(root, width, height, objectives, fronts) {
  const [across, up] = objectives;
  const box = { left: 52, top: 44, right: width - 16, bottom: height - 52 };
  const x = sharedScale(across, 0, fronts, box.left, box.right, clamp(Math.floor(width / 90), 3, 8));
  const y = sharedScale(up, 1, fronts, box.bottom, box.top, 6);
  for (const { value, text } of x.ticks) root.append(line(x.at(value), box.top, x.at(value), box.bottom, "grid"), words(x.at(value), box.bottom + 18, text, "tick", "middle"));
  for (const { value, text } of y.ticks) root.append(line(box.left, y.at(value), box.right, y.at(value), "grid"), words(box.left - 8, y.at(value) + 4, text, "tick", "end"));
  fronts.forEach((front, side) => {
    const spots = gainsFirst(objectives, front.points).map((point) => [x.at(point[0]), y.at(point[1])]);
    // From the best in the first objective down to the worst, the front goes up in the second: a staircase.
    const steps = spots.flatMap(([px, py], place) => (place ? [[px, spots[place - 1][1]], [px, py]] : [[px, py]]));
    const group = svg("g", {}, path(steps, `strand strand-${SIDES[side]}`));
    for (const [px, py] of spots) group.append(mark(SIDES[side], px, py, 4.6));
    root.append(group);
  });
  const room = box.right - box.left;
  root.append(
    words(box.left - 40, 16, shorten(`↑ ${up.name}`, room, 13), "title"),
    words(box.left - 40, 32, shorten(metricWords(up), room), "note"),
    words(box.right, height - 18, shorten(`${across.name} →`, room, 13), "title", "end"),
    words(box.right, height - 3, shorten(metricWords(across), room), "note", "end"),
  );
}

function overlayLines(root, width, height, objectives, fronts) {
  const box = { left: 46, top: 62, right: width - 30, bottom: height - 16 };
  const gap = objectives.length > 1 ? (box.right - box.left) / (objectives.length - 1) : 0;
  const axes = objectives.map((objective, place) => ({ x: box.left + place * gap, ...sharedScale(objective, place, fronts, box.bottom, box.top, 5) }));
  fronts.forEach((front, side) => {
    for (const point of front.points) {
      const corners = axes.map(({ x, at }, place) => [x, at(point[place])]);
      root.append(svg("g", {}, path(corners, `strand strand-${SIDES[side]}`), ...corners.map(([x, y]) => mark(SIDES[side], x, y, 3.2))));
    }
  });
  axes.forEach(({ x, at, ticks }, place) => {
    const objective = objectives[place];
    const anchor = place === 0 ? "start" : place === axes.length - 1 ? "end" : "middle";
    const lowered = gap < 150 && place % 2 ? 15 : 0;
    const shift = { start: -38, middle: 0, end: 26 }[anchor];
    root.append(line(x, box.top - 6, x, box.bottom, "axis"));
    root.append(words(x + shift, 16 + lowered, shorten(objective.name, Math.max(gap * (gap < 150 ? 1.6 : 0.95), 70), 13), "title", anchor));
    root.append(words(x + shift, 48, turned(objective) ? "↑ lower" : "↑ higher", "note small", anchor));
    for (const { value, text } of ticks) root.append(line(x - 4, at(value), x, at(value), "axis"), words(x - 8, at(value) + 4, text, "tick small halo", "end"));
  });
}

function drawOverlay(holder, label, objectives, fronts) {
  const least = objectives.length > 2 ? 60 + objectives.length * 74 : 240;
  const width = Math.max(holder.clientWidth, least);
  const height = clamp(width * 0.62, 320, 520);
  const root = svg("svg", { role: "img", "aria-label": label, width, height, viewBox: `0 0 ${width} ${height}` });
  (objectives.length === 2 ? overlayScatter : overlayLines)(root, width, height, objectives, fronts);
  holder.replaceChildren(root);
}
