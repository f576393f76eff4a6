// Three objectives: a box that turns. Nothing hides behind perspective: the projection is parallel.
const HOME = { yaw: Math.PI / 4.4, pitch: 0.42 };
const space = { ...HOME, dragging: false, moved: false, turning: false };

// Rotate a corner of the unit box and flatten it: x to the right, y up, depth away from the reader.
function turn([a, b, c]) {
  const [u, v, w] = [a - 0.5, b - 0.5, c - 0.5];
  const away = -u * Math.sin(space.yaw) + v * Math.cos(space.yaw);
  return {
    x: u * Math.cos(space.yaw) + v * Math.sin(space.yaw),
    y: w * Math.cos(space.pitch) + away * Math.sin(space.pitch),
    depth: away * Math.cos(space.pitch) - w * Math.sin(space.pitch),
  };
}

function drawSpace(root, width, height) {
  const size = Math.min(width / 1.72, height / 1.62);
  const flat = (corner) => {
    const { x, y } = turn(corner);
    return [width / 2 + x * size, height / 2 - y * size];
  };
  const deep = (corner) => turn(corner).depth;
  const axes = data.objectives.map((objective) => objectiveScale(objective, stage.points, 0, 1, { zoomed: stage.zoomed, about: 5 }));
  const place = (scores) => data.objectives.map(({ name }, index) => clamp(axes[index].at(scores[name]), -0.02, 1.02));
  const backA = deep([0, 0.5, 0.5]) > deep([1, 0.5, 0.5]) ? 0 : 1;
  const backB = deep([0.5, 0, 0.5]) > deep([0.5, 1, 0.5]) ? 0 : 1;
  const [nearA, nearB] = [1 - backA, 1 - backB];
  const segment = (from, to, style) => path([flat(from), flat(to)], style);

  const sheets = [
    [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]],
    [[backA, 0, 0], [backA, 1, 0], [backA, 1, 1], [backA, 0, 1]],
    [[0, backB, 0], [1, backB, 0], [1, backB, 1], [0, backB, 1]],
  ];
  for (const corners of sheets) root.append(path(corners.map(flat), "sheet", true));
  for (const { value } of axes[0].ticks) {
    const t = axes[0].at(value);
    root.append(segment([t, 0, 0], [t, 1, 0], "grid"), segment([t, backB, 0], [t, backB, 1], "grid"));
  }
  for (const { value } of axes[1].ticks) {
    const t = axes[1].at(value);
    root.append(segment([0, t, 0], [1, t, 0], "grid"), segment([backA, t, 0], [backA, t, 1], "grid"));
  }
  for (const { value } of axes[2].ticks) {
    const t = axes[2].at(value);
    root.append(segment([backA, 0, t], [backA, 1, t], "grid"), segment([0, backB, t], [1, backB, t], "grid"));
  }
  // The upright axis stands where the box ends on the left.
  const posts = [[backA, nearB], [nearA, backB]];
  const [postA, postB] = posts.sort((p, q) => flat([...p, 0])[0] - flat([...q, 0])[0])[0];
  const along = [(t) => [t, nearB, 0], (t) => [nearA, t, 0], (t) => [postA, postB, t]];
  const centre = flat([0.5, 0.5, 0.5]);
  const reserved = [];
  data.objectives.forEach((objective, index) => {
    const at = (t) => flat(along[index](t));
    root.append(path([at(0), at(1)], "axis"));
    const middle = at(0.5);
    const [dx, dy] = index === 2 ? [-1, 0] : outward(at(0), at(1), centre);
    const anchor = dx < -0.35 ? "end" : dx > 0.35 ? "start" : "middle";
    for (const { value, text } of axes[index].ticks) {
      const [x, y] = at(axes[index].at(value));
      root.append(words(x + dx * 9, y + dy * 14 + 4, text, "tick small", anchor));
    }
    if (index === 2) {
      const [x, y] = at(1);
      const upright = `↑ ${shorten(objective.name, 200, 13)}`;
      const left = Math.max(2, x - breadth(upright, 13) / 2);
      root.append(words(left, y - 16, upright, "title"));
      reserved.push([left, y - 30, left + breadth(upright, 13), y - 8]);
      return;
    }
    const rightward = at(1)[0] >= at(0)[0];
    const name = shorten(objective.name, Math.max(90, width * 0.3), 13);
    const text = rightward ? `${name} →` : `← ${name}`;
    const wide = breadth(text, 15);
    const x = clamp(middle[0] + dx * 44, anchor === "end" ? wide + 4 : 4, width - (anchor === "start" ? wide + 4 : 4));
    root.append(words(x, Math.min(middle[1] + dy * 44 + 6, height - 4), text, "title", anchor));
  });
  const [bestX, bestY] = flat([1, 1, 1]);
  const crowded = bestX + 80 > width;
  const beside = crowded ? [bestX + 6, bestY - 12] : [bestX + 10, bestY - 6];
  root.append(path(star(bestX, bestY, 6), "corner", true), words(...beside, "best corner", "note small", crowded ? "end" : "start"));

  const hits = [];
  const placed = stage.points
    .filter((point) => data.objectives.every(({ name }) => present(point.measured[name])))
    .map((point) => ({ point, spot: place(point.measured) }))
    .sort((p, q) => deep(q.spot) - deep(p.spot));
  for (const { point, spot } of placed) {
    const [x, y] = flat(spot);
    const closeness = clamp(0.5 - deep(spot) / 1.6, 0, 1);
    const group = pointGroup(point);
    if (point.kind !== "random") {
      const [fx, fy] = flat([spot[0], spot[1], 0]);
      group.append(line(x, y, fx, fy, "stem"), svg("ellipse", { cx: fx.toFixed(1), cy: fy.toFixed(1), rx: 2.6, ry: 1.4, class: "foot" }));
    }
    if (point.low && point.high && point.kind !== "random") {
      data.objectives.forEach(({ name }, index) => {
        const ends = [point.low[name], point.high[name]].map((score) => spot.with(index, clamp(axes[index].at(score), -0.02, 1.02)));
        group.append(path(ends.map(flat), "bars"));
      });
    }
    if (point.predicted && point.kind === "front") {
      const [px, py] = flat(place(point.predicted));
      group.append(line(px, py, x, y, "link"), mark("predicted", px, py, 3.6 + 1.6 * closeness));
    }
    group.append(mark(point.kind, x, y, (point.kind === "random" ? 3 : 3.8) + 2.2 * closeness));
    root.append(group);
    hits.push({ point, corners: [[x, y]] });
  }
  nameMarks(root, hits, { left: 0, top: 20, right: width, bottom: height }, reserved);
  return hits;
}

// The unit direction that leads away from the middle of the box, across an edge.
function outward([ax, ay], [bx, by], [cx, cy]) {
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
  const length = Math.hypot(bx - ax, by - ay) || 1;
  const across = [(ay - by) / length, (bx - ax) / length];
  const sign = across[0] * (mx - cx) + across[1] * (my - cy) < 0 ? -1 : 1;
  return [across[0] * sign, across[1] * sign];
}

function mountSpace(holder, label) {
  holder.classList.add("space");
  const figure = mountFigure(holder, { label, height: (width) => clamp(width * 0.86, 320, 600), draw: drawSpace, dragging: () => space.moved });
  let last = null;
  const rotate = (yaw, pitch) => {
    space.yaw += yaw;
    space.pitch = clamp(space.pitch + pitch, 0.06, 1.45);
    figure.redraw();
  };
  holder.addEventListener("pointerdown", (event) => {
    last = [event.clientX, event.clientY];
    space.moved = false;
  });
  addEventListener("pointermove", (event) => {
    if (!last) return;
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    if (!space.moved && Math.hypot(dx, dy) < 4) return;
    space.moved = true;
    last = [event.clientX, event.clientY];
    rotate(-dx * 0.008, dy * 0.008);
  });
  // The click that ends a drag comes after this, and must still know that it was one.
  const release = () => {
    last = null;
    setTimeout(() => { space.moved = false; }, 0);
  };
  addEventListener("pointerup", release);
  addEventListener("pointercancel", release);
  holder.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [0.12, 0], ArrowRight: [-0.12, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08] };
    if (!steps[event.key]) return;
    event.preventDefault();
    rotate(...steps[event.key]);
  });
  const tick = (before) => (now) => {
    if (!space.turning) return;
    if (!last) rotate(-Math.min(now - before, 100) * 0.00012, 0);
    requestAnimationFrame(tick(now));
  };
  return {
    home() {
      Object.assign(space, HOME);
      figure.redraw();
    },
    spin(on) {
      space.turning = on;
      if (on) requestAnimationFrame((now) => tick(now)(now));
    },
  };
}
