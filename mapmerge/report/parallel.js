// Parallel coordinates: one axis an objective, better is up, one line a measured model.
const parallelLeast = () => 60 + data.objectives.length * 74;
const parallelHeight = (width) => clamp(width * 0.62, 380, 540);

function drawParallel(root, width, height) {
  const objectives = data.objectives;
  const box = { left: 44, top: 62, right: width - 34, bottom: height - 30 };
  const gap = (box.right - box.left) / (objectives.length - 1);
  const axes = objectives.map((objective, place) => ({
    objective,
    x: box.left + place * gap,
    ...objectiveScale(objective, stage.points, box.bottom, box.top, { zoomed: stage.zoomed, about: 6 }),
  }));
  axes.forEach(({ objective, x }, place) => {
    root.append(line(x, box.top - 6, x, box.bottom, "axis"));
    const anchor = place === 0 ? "start" : place === objectives.length - 1 ? "end" : "middle";
    const shift = { start: -36, middle: 0, end: 30 }[anchor];
    const room = anchor === "middle" ? gap - 8 : gap * 0.62 + 30;
    // Neighbouring names take turns on two lines where they would touch.
    const lowered = objectives.length > 4 && place % 2 ? 15 : 0;
    const wide = objectives.length > 4 ? room * 1.6 : room;
    root.append(words(x + shift, 18 + lowered, shorten(objective.name, wide, 12.5), "title", anchor));
    const direction = turned(objective) ? "↑ lower is better" : "↑ higher is better";
    root.append(words(x + shift, 48, gap > 108 ? direction : turned(objective) ? "↑ lower" : "↑ higher", "note small", anchor));
  });
  const plane = clip(root, { ...box, left: box.left - 20, right: box.right + 20 });
  const hits = [];
  for (const point of byDepth(stage.points)) {
    const corners = axes.map(({ objective, x, at }) => [x, at(point.measured[objective.name])]).filter(([, y]) => present(y));
    if (!corners.length) continue;
    const group = pointGroup(point, path(corners, `strand strand-${point.kind}`));
    if (point.low && point.high && point.kind !== "random") {
      for (const { objective, x, at } of axes) {
        group.append(line(x, at(point.low[objective.name]), x, at(point.high[objective.name]), "bars wide"));
      }
    }
    if (point.predicted && point.kind === "front") {
      const foreseen = axes.map(({ objective, x, at }) => [x, at(point.predicted[objective.name])]);
      group.append(path(foreseen, "strand strand-predicted"));
      for (const [x, y] of foreseen) group.append(mark("predicted", x, y, 4.4));
    }
    if (point.kind !== "random") for (const [x, y] of corners) group.append(mark(point.kind, x, y, point.kind === "front" ? 3.4 : 3.8));
    plane.append(group);
    hits.push({ point, corners });
  }
  for (const { x, ticks, at } of axes) {
    for (const { value, text } of ticks) {
      root.append(line(x - 4, at(value), x, at(value), "axis"), words(x - 8, at(value) + 4, text, "tick small halo", "end"));
    }
  }
  root.append(words(box.left - 36, height - 6, "↓ worse", "note small"));
  return hits;
}
