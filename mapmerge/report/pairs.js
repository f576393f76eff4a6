// Every pair of objectives side by side: three in a row, more as the lower half of a matrix.
// Each cell: objective across, objective up, column, row.
function pairCells(count, columns) {
  if (count === 3) return [[0, 1], [0, 2], [1, 2]].map((pair, place) => [...pair, place % columns, Math.floor(place / columns)]);
  const cells = [];
  for (let up = 1; up < count; up += 1) for (let across = 0; across < up; across += 1) cells.push([across, up, across, up - 1]);
  return cells;
}

// Cell size and margins for the width there is; small matrices do not grow without end. Cells of three have their own axes.
const MOST_PAIRED = 12; // of more objectives there are more pairs than anybody looks at

function pairsShape(width) {
  const count = data.objectives.length;
  const three = count === 3;
  const columns = three ? (width < 520 ? 1 : 3) : count - 1;
  const margin = { left: 46, top: three ? 34 : 10, bottom: three ? 44 : 46 };
  const gap = three ? { across: 48, down: 88 } : { across: 10, down: 10 };
  const side = Math.min((width - margin.left - 10 - gap.across * (columns - 1)) / columns, three ? 280 : 240);
  return { side, margin, gap, columns, rows: three ? 3 / columns : columns };
}

const pairsLeast = () => (data.objectives.length === 3 ? 0 : 56 + (data.objectives.length - 1) * 86);

function pairsHeight(width) {
  const { side, margin, gap, rows } = pairsShape(width);
  return margin.top + rows * side + (rows - 1) * gap.down + margin.bottom;
}

function drawPairs(root, width) {
  const three = data.objectives.length === 3;
  const { side, margin, gap, columns, rows } = pairsShape(width);
  const hits = [];
  for (const [a, b, column, row] of pairCells(data.objectives.length, columns)) {
    const [across, up] = [data.objectives[a], data.objectives[b]];
    const left = margin.left + column * (side + gap.across);
    const top = margin.top + row * (side + gap.down);
    const box = { left, top, right: left + side, bottom: top + side };
    const about = clamp(Math.floor(side / 40), 2, 5);
    const scales = {
      x: objectiveScale(across, stage.points, box.left + 7, box.right - 7, { zoomed: stage.zoomed, about }),
      y: objectiveScale(up, stage.points, box.bottom - 7, box.top + 7, { zoomed: stage.zoomed, about }),
    };
    root.append(svg("rect", { x: left, y: top, width: side, height: side, class: "cell" }));
    const [first, last] = [three || column === 0, three || row === rows - 1];
    for (const { value, text } of scales.x.ticks) {
      const x = scales.x.at(value);
      root.append(line(x, box.top, x, box.bottom, "grid"));
      if (last) root.append(words(x, box.bottom + 15, text, "tick small", "middle"));
    }
    for (const { value, text } of scales.y.ticks) {
      const y = scales.y.at(value);
      root.append(line(box.left, y, box.right, y, "grid"));
      if (first) root.append(words(box.left - 6, y + 4, text, "tick small", "end"));
    }
    if (last) root.append(words((box.left + box.right) / 2, box.bottom + 36, `${shorten(across.name, side - 12)} →`, "name", "middle"));
    if (three) root.append(words(box.left - 36, box.top - 14, `↑ ${shorten(up.name, side)}`, "name"));
    else if (first) {
      const middle = (box.top + box.bottom) / 2;
      const title = words(12, middle, `${shorten(up.name, side - 12)} →`, "name", "middle");
      root.append(fill(title, { transform: `rotate(-90 12 ${middle.toFixed(1)})` }, []));
    }
    const inner = { left: box.left + 8, top: box.top + 8, right: box.right - 8, bottom: box.bottom - 8 };
    hits.push(...scatterMarks(clip(root, inner), scales, [across, up], stage.points, { size: side < 130 ? 3 : 4, bars: side > 190 }));
  }
  return hits;
}
