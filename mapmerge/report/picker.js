// A preference is a weight for every objective; the measured model that serves it best is picked.

// How much the plain sum counts: it only decides between models that tie otherwise.
const SMALL = 1e-3;

// Scores on the scale of the hypervolume: 0 the worst and 1 the best unmerged model.
function normalised(point) {
  const { reference_point: reference, ideal_point: ideal } = data.hypervolume;
  return data.objectives.map(({ name }) => {
    const span = ideal[name] - reference[name];
    return (point.measured[name] - reference[name]) / (Math.abs(span) > 1e-12 ? span : 1);
  });
}

// Augmented Chebyshev (Steuer and Choo 1983), the same goal that picks by weights from the surrogates, over what was
// measured: the largest weighted shortfall from the best is to be smallest. An objective of weight zero may take any score.
function chebyshev(front, weights) {
  const most = Math.max(...weights);
  const scores = front.map(normalised);
  const best = weights.map((_, place) => Math.max(1, ...scores.map((score) => score[place])));
  const values = scores.map((score) => {
    const above = score.map((value, place) => value - best[place]);
    const weighted = above.map((value, place) => (weights[place] / most) * value).filter((_, place) => weights[place] > 0);
    return Math.min(...weighted) + SMALL * above.reduce((sum, value) => sum + value, 0);
  });
  return front[values.indexOf(Math.max(...values))];
}

function mountPicker(front) {
  const sliders = data.objectives.map((objective, place) => {
    const id = `weight-${place}`;
    const slider = html("input", { type: "range", id, min: 0, max: 100, step: 1, value: 50 });
    const share = html("output", { for: id });
    byId("picker-weights").append(html("div", { class: "weight" }, html("label", { for: id }, objective.name), share, slider));
    return { slider, share };
  });
  const shares = () => {
    const weights = sliders.map(({ slider }) => Number(slider.value));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => (total ? weight / total : 1 / weights.length));
  };
  const weigh = () => {
    shares().forEach((share, place) => {
      const text = `${Math.round(share * 100)}%`;
      sliders[place].share.textContent = text;
      sliders[place].slider.setAttribute("aria-valuetext", `${text} of the weight`);
    });
    if (front.length) stage.pick(chebyshev(front, shares()), "by these weights");
  };
  for (const { slider } of sliders) slider.addEventListener("input", weigh);
  const level = html("button", { type: "button", class: "plain" }, "Equal weights");
  level.addEventListener("click", () => {
    for (const { slider } of sliders) slider.value = 50;
    weigh();
  });
  byId("picker-weights").append(level);
  stage.listeners.push(showPicked);
  weigh();
}

function showPicked(point, how) {
  const share = point.probability_nondominated;
  const standing = point.kind === "dominated" ? "Dominated by another measured model"
    : present(share) ? `On the front in ${Math.round(share * 100)}% of the resamples` : "On the front";
  byId("picked").replaceChildren(
    html("h4", {}, html("span", { class: "swatch" }), point.name, html("small", {}, ` picked ${how}`)),
    html("p", { class: "quiet small" }, `${standing}. ${alikeWords(point)}`),
    scoresTable(point),
    coefficientsTable(point),
    ...[drillLink(point)].filter(Boolean),
    copying(point),
  );
  const scores = data.objectives.map(({ name }) => `${name} ${number(point.measured[name], data.decimals[name])}`);
  say(`Picked ${point.name} ${how}: ${scores.join(", ")}.`, false);
}

// Which others the items cannot tell it apart from; a long list ends in a number.
function alikeWords(point) {
  const names = (point.indistinguishable_from ?? []).map((name) => data.spoken[name] ?? name);
  if (!names.length) return "";
  const said = names.length > 7 ? [...names.slice(0, 6), `${names.length - 6} more`] : names;
  const list = said.length > 1 ? `${said.slice(0, -1).join(", ")} and ${said.at(-1)}` : said[0];
  return `Within the noise it cannot be told apart from ${list}, outlined in the figures.`;
}

// Screen readers hear everything; what the eye sees anyway is not written twice.
function say(text, seen) {
  byId("picker-status").textContent = text;
  byId("picker-status").classList.toggle("unseen", !seen);
}

function scoresTable(point) {
  const rows = data.objectives.map(({ name }) => {
    const digits = data.decimals[name];
    const spread = (low, high) => html("small", {}, low && high ? between(low[name], high[name], digits) : "");
    return html("tr", {},
      html("th", { scope: "row" }, name),
      html("td", { class: "num" }, number(point.measured[name], digits), spread(point.low, point.high)),
      html("td", { class: "num quiet" }, number(point.predicted?.[name], digits), spread(point.predicted_low, point.predicted_high)));
  });
  const head = ["Objective", "Measured", "Predicted"].map((text, place) => html("th", { scope: "col", class: place ? "num" : null }, text));
  return html("table", { class: "scores" },
    html("caption", { class: "unseen" }, `Scores of ${point.name}`),
    html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
}

function coefficientsTable(point) {
  const values = data.experts.map((name) => point.coefficients[name] ?? 0);
  const most = Math.max(...values.map(Math.abs), 1e-9);
  const rows = data.experts.map((name, place) => {
    const bar = svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { x: 0, y: 0, width: ((100 * Math.abs(values[place])) / most).toFixed(1), height: 8, class: values[place] < 0 ? "minus" : "plus" }));
    return html("tr", {}, html("th", { scope: "row" }, name), html("td", { class: "num" }, number(values[place], 4)), html("td", { class: "bars-column" }, bar));
  });
  const table = html("table", { class: "coefficients" },
    html("caption", { class: "unseen" }, `Coefficients of ${point.name}`),
    html("thead", {}, html("tr", {}, html("th", { scope: "col" }, "Expert"), html("th", { scope: "col", class: "num" }, "Coefficient"), html("td", {}))),
    html("tbody", {}, ...rows));
  return html("div", { class: "scroll tall", role: "region", tabindex: 0, "aria-label": `Coefficients of ${point.name}` }, table);
}

// A word of a shell command, quoted where the shell would read more into it.
const shellWord = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function copying(point) {
  const coefficients = JSON.stringify(Object.fromEntries(data.experts.map((name) => [name, point.coefficients[name] ?? 0])), null, 1);
  const command = `mapmerge export ${shellWord(data.run)} --point ${shellWord(point.id)} --out ${shellWord(`merged-${point.id}`)}`;
  const button = (text, content, what) => {
    const control = html("button", { type: "button" }, text);
    control.addEventListener("click", async () => {
      const copied = await copy(content);
      say(copied ? `Copied the ${what} of ${point.name}.` : "The browser did not let the page copy; select the text instead.", true);
    });
    return control;
  };
  return html("div", { class: "copying" },
    html("code", { class: "command", id: "picked-command", tabindex: 0 }, command),
    html("div", { class: "buttons" },
      button("Copy coefficients", coefficients, "coefficients"), button("Copy command", command, "command")));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = html("textarea", { class: "unseen", readonly: "" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
