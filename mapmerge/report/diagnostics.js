// What the search cost, how it compares, and how well the surrogates foresaw.
function drawHistory(root, width, height) {
  const box = { left: 58, top: 34, right: width - 20, bottom: height - 46 };
  const volumes = data.history.map((round) => round.hypervolume);
  const most = Math.max(...data.history.map((round) => round.evaluations), 1);
  const scales = {
    x: scale([0, most * 1.02], box.left, box.right, false, clamp(Math.floor(width / 110), 3, 8)),
    y: scale([Math.min(0, ...volumes.filter(present)), Math.max(...volumes.filter(present), 0.01) * 1.08], box.bottom, box.top, false, 5),
  };
  frame(root, box, scales);
  root.append(
    words(12, 16, "↑ hypervolume", "title"),
    words(box.right, height - 6, "evaluations on search items →", "title", "end"),
  );
  const corners = [];
  let before = null;
  for (const { evaluations, hypervolume } of data.history) {
    if (!present(hypervolume)) continue;
    const [x, y] = [scales.x.at(evaluations), scales.y.at(hypervolume)];
    if (before !== null) corners.push([x, before]);
    corners.push([x, y]);
    before = y;
  }
  if (corners.length) root.append(path([...corners, [box.right, before]], "steps"));
  let reached = -Infinity;
  for (const [index, { round, evaluations, hypervolume }] of data.history.entries()) {
    if (!present(hypervolume) || data.history[index + 1]?.round === round) continue;
    const [x, y] = [scales.x.at(evaluations), scales.y.at(hypervolume)];
    root.append(svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 4.5, class: "mark mark-round" }));
    const text = shorten(round.replaceAll("_", " "), 130);
    const ends = x + breadth(text) / 2 > box.right;
    const start = ends ? x - breadth(text) : x - breadth(text) / 2;
    if (start < reached) continue;
    reached = start + breadth(text) + 8;
    const above = y - 14 > box.top - 12;
    root.append(words(x, above ? y - 12 : y + 20, text, "name", ends ? "end" : "middle"));
  }
}

// Differences with their intervals around the line of no difference.
const comparisonsHeight = () => 62 + data.comparisons.length * 38;

function drawComparisons(root, width, height) {
  const narrow = width < 480;
  const box = { left: narrow ? 20 : 170, top: 20, right: width - 30, bottom: height - 44 };
  const x = scale(extent([0, ...data.comparisons.flatMap(({ low, high, difference }) => [low, high, difference])], 0.08), box.left, box.right, false, clamp(Math.floor(width / 110), 3, 7));
  for (const { value, text } of x.ticks) {
    root.append(line(x.at(value), box.top, x.at(value), box.bottom, "grid"), words(x.at(value), box.bottom + 17, text, "tick", "middle"));
  }
  root.append(line(x.at(0), box.top - 8, x.at(0), box.bottom, "zero"));
  root.append(words(box.right, height - 4, "hypervolume of the front minus the baseline's →", "note", "end"));
  const kinds = { experts: "expert", uniform: "uniform", best_scalar: "scalar", random_search: "random" };
  data.comparisons.forEach(({ baseline, difference, low, high }, place) => {
    const y = box.top + 38 * place + (narrow ? 26 : 18);
    const name = data.baselines[baseline] ?? baseline;
    const kind = kinds[baseline] ?? "base";
    root.append(narrow ? words(box.left, y - 11, name, "name halo") : words(box.left - 16, y + 4, name, "name", "end"));
    if (present(low) && present(high)) root.append(line(x.at(low), y, x.at(high), y, `span span-${kind}`));
    if (present(difference)) root.append(mark(kind, x.at(difference), y, 5.4));
  });
}

// One panel an objective: left-out predictions against measurements; on the diagonal they agree.
function panelShape(width, count) {
  const columns = clamp(Math.floor((width + 20) / 165), 1, Math.min(count, 4));
  const side = Math.min((width - 20 * (columns - 1)) / columns, 330);
  return { columns, side, rows: Math.ceil(count / columns) };
}

function surrogatesHeight(width) {
  const { side, rows } = panelShape(width, data.objectives.length);
  return rows * (side + 58);
}

function drawSurrogates(root, width) {
  const { columns, side } = panelShape(width, data.objectives.length);
  data.objectives.forEach((objective, place) => {
    const fit = data.surrogates[objective.name];
    if (!fit) return;
    const left = (place % columns) * (side + 20);
    const top = Math.floor(place / columns) * (side + 58);
    const box = { left: left + 42, top: top + 62, right: left + side - 8, bottom: top + side + 10 };
    const pairs = fit.loo.filter(({ measured, predicted }) => present(measured) && present(predicted));
    const range = extent(pairs.flatMap(({ measured, predicted }) => [measured, predicted]));
    const scales = {
      x: scale(range, box.left, box.right, turned(objective), 3),
      y: scale(range, box.bottom, box.top, turned(objective), 4),
    };
    root.append(
      words(left + 8, top + 14, shorten(objective.name, side - 16, 13), "title"),
      words(left + 8, top + 31, `R² ${number(fit.r2_cv)} · ${fit.passed ? "passed" : "not passed"}`, fit.passed ? "note" : "note bad"),
    );
    frame(root, box, scales);
    root.append(line(scales.x.at(range[0]), scales.y.at(range[0]), scales.x.at(range[1]), scales.y.at(range[1]), "diagonal"));
    const cloud = svg("g", { class: "cloud" });
    for (const { measured, predicted } of pairs) {
      cloud.append(svg("circle", { cx: scales.x.at(predicted).toFixed(1), cy: scales.y.at(measured).toFixed(1), r: 3, class: "mark mark-left-out" }));
    }
    root.append(cloud);
    if (!pairs.length) root.append(words((box.left + box.right) / 2, (box.top + box.bottom) / 2, "no points to show", "note", "middle"));
    root.append(words(box.right, box.bottom + 36, "predicted →", "note small", "end"));
    root.append(words(left + 8, top + 49, "↑ measured", "note small"));
  });
}
