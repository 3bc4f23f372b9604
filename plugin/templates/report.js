"use strict";
// Everything that was recorded is put into the page as text, never as markup: see build().
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("page-data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const tags = new Set(data.tags), attributes = new Set(data.attributes);
  const style = /^(?:(?:fill|stroke):var\(--seasoned-[a-z]+,#[0-9a-f]{6}\);?)+$/;

  const make = (tag, properties, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(properties || {})) {
      if (key === "class") made.className = value;
      else if (key.startsWith("aria-") || key === "datetime" || key === "href" || key === "scope" || key === "role") made.setAttribute(key, value);
      else made[key] = value;
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  };

  // A tree of [tag, attributes, ...children] as elements: only those that a report has, and nothing that runs or loads.
  const build = (node, space) => {
    if (typeof node === "string") return document.createTextNode(node);
    const [tag, given, ...children] = node;
    if (!tags.has(tag)) return document.createTextNode("");
    const inner = tag === "svg" ? SVG : space;
    const made = inner ? document.createElementNS(inner, tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(given)) {
      if (!attributes.has(key)) continue;
      if (key === "href" && !value.startsWith("#")) continue;
      if (key === "style" && !style.test(value)) continue;
      made.setAttribute(key, value === "" && (key === "open" || key === "hidden") ? "" : value);
    }
    for (const child of children) made.append(build(child, inner));
    return made;
  };

  // -- colours ---------------------------------------------------------------------------------------------
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const theme = byId("theme");
  const tellTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("seasoned-theme", root.dataset.theme); } catch { /* not kept, then */ }
    tellTheme();
  });
  dark.addEventListener("change", tellTheme);
  tellTheme();
  const reveal = (within) => {
    within.querySelectorAll(".scripted").forEach((one) => { one.hidden = false; });
  };
  const centre = () => document.querySelectorAll(".graph > .scroll").forEach((one) => { one.scrollLeft = (one.scrollWidth - one.clientWidth) / 2; });
  reveal(document);
  centre();
  document.querySelectorAll(".unscripted").forEach((one) => { one.hidden = true; });

  // -- inside a run ----------------------------------------------------------------------------------------
  const openAround = (target) => {
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  const goTo = (target) => {
    openAround(target);
    const inner = target.matches("li, details") ? target.querySelector("details") : null;
    if (inner) inner.open = true;
    target.scrollIntoView();
    if (!target.matches("a, button, summary, [tabindex]")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  };
  let lastFailure = -1;
  const acts = {
    open: (scope) => scope.querySelectorAll(".turns details.fold").forEach((one) => { one.open = true; }),
    close: (scope) => scope.querySelectorAll(".turns details").forEach((one) => { one.open = false; }),
    failure: (scope) => {
      const found = [...scope.querySelectorAll(".turns .failed, .turns .message.wrong")];
      if (!found.length) { say("Nothing failed in this run."); return; }
      lastFailure = (lastFailure + 1) % found.length;
      goTo(found[lastFailure].closest(".turn") || found[lastFailure]);
      found[lastFailure].scrollIntoView({ block: "center" });
      say(`Failure ${lastFailure + 1} of ${found.length}`);
    },
    again: (scope, button) => {
      const place = button.parentElement;
      const shown = place.querySelector("blockquote");
      if (shown) { shown.remove(); button.textContent = "show"; return; }
      const quote = make("blockquote");
      for (const id of button.dataset.again.split(",")) {
        const source = byId(id)?.querySelector("details");
        if (!source) continue;
        const copy = source.cloneNode(true);
        copy.querySelectorAll("[id]").forEach((one) => one.removeAttribute("id"));
        quote.append(copy);
      }
      place.append(quote);
      button.textContent = "hide";
    },
  };
  const say = (words) => { const place = byId("said"); place.textContent = ""; place.textContent = words; };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (button) acts[button.dataset.act]?.(button.closest(".run") || document, button);
  });
  // what leads into something folded opens it
  const toHash = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && !id.startsWith("run/") ? byId(id) : null;
    if (target) {
      openAround(target);
      target.scrollIntoView();
    }
  };
  if (!data.runs) {
    addEventListener("hashchange", () => { const target = byId(decodeURIComponent(location.hash.slice(1))); if (target) goTo(target); });
    toHash();
    return;
  }

  // -- the list of runs ------------------------------------------------------------------------------------
  const { names, rows } = data.runs;
  const [ID, TASK, DOMAIN, AGENTS, STARTED, SECONDS, MESSAGES, TOOLS, ERRORS, TOKENS, COST, OUTCOME, SOURCE, MODEL, INSIDE, PACKED] = rows.length ? rows[0].keys() : [];
  const words = ["unjudged", "success", "failure", "running"], signs = ["", "✓ ", "✕ ", "… "], kinds = ["none", "good", "bad", "none"];
  const thin = (value) => value.toLocaleString("en-US").replaceAll(",", "\u202f");
  const many = (value, what) => `${thin(value)} ${what}${value === 1 ? "" : "s"}`;
  const money = (value) => (value === null ? "-" : value >= 1 ? `$${value.toFixed(2)}` : `$${Number(value.toPrecision(3))}`);
  const took = (value) => (value === null ? "-" : value < 1 ? `${Math.round(value * 1000)} ms` : value < 600 ? `${Number(value.toPrecision(3))} s` : `${Math.round(value / 60)} min`);
  const when = (milliseconds) => { const at = new Date(milliseconds); return isNaN(at) ? "" : at.toISOString().slice(0, 16).replace("T", " "); };
  const PAGE = 100;
  const body = byId("run-rows"), status = byId("run-count"), form = byId("run-filters");
  let order = rows.map((_, at) => at), page = 0;
  const haystack = rows.map((row) => [row[ID], row[TASK], names[row[DOMAIN]], row[AGENTS].map((at) => names[at]).join(" "), names[row[MODEL]]].join("\n").toLowerCase());
  const bdi = (text) => make("bdi", {}, text);
  const agentsOf = (row) => row[AGENTS].map((at) => names[at]).join(", ");
  const link = (row) => `#run/${encodeURIComponent(row[ID])}`;

  const line = (row) => {
    const cell = (value) => make("td", { class: "n wide-only" }, value);
    const facts = make("div", { class: "soft small" }, `${when(row[STARTED])} `, names[row[DOMAIN]] ? "· " : "", names[row[DOMAIN]] ? bdi(names[row[DOMAIN]]) : "", " ", make("code", {}, bdi(row[ID])));
    const short = make("div", { class: "soft small narrow-only" }, `${many(row[MESSAGES], "message")} · ${many(row[TOOLS], "tool call")} · ${many(row[ERRORS], "error")}${row[COST] === null ? "" : ` · ${money(row[COST])}`}`);
    const task = make("a", { href: link(row), class: "two-lines" }, (row[INSIDE] ? "↳ " : ""), bdi(row[TASK] || "(no task was said)"));
    return make("tr", {},
      make("td", { class: "task" }, task, facts, short),
      make("td", {}, make("span", { class: `pill ${kinds[row[OUTCOME]]}` }, signs[row[OUTCOME]] + words[row[OUTCOME]]), names[row[SOURCE]] ? make("div", { class: "soft small" }, bdi(names[row[SOURCE]])) : ""),
      make("td", { class: "small agents-of wide-only" }, make("span", { class: "two-lines" }, bdi(agentsOf(row)))),
      cell(thin(row[MESSAGES])), cell(thin(row[TOOLS])),
      make("td", { class: row[ERRORS] ? "n wide-only bad" : "n wide-only" }, thin(row[ERRORS])),
      cell(thin(row[TOKENS])), cell(money(row[COST])), cell(took(row[SECONDS])));
  };
  const show = () => {
    const pages = Math.max(1, Math.ceil(order.length / PAGE));
    page = Math.min(Math.max(0, page), pages - 1);
    const from = page * PAGE, part = order.slice(from, from + PAGE);
    body.replaceChildren(...part.map((at) => line(rows[at])));
    if (!part.length) body.append(make("tr", {}, make("td", { colSpan: 9, class: "soft" }, "No run fits.")));
    const all = order.length === rows.length ? `${thin(rows.length)} runs` : `${thin(order.length)} of ${thin(rows.length)} runs`;
    status.textContent = part.length ? `${all}: ${thin(from + 1)} to ${thin(from + part.length)} are shown` : "No run fits.";
    document.querySelector(".pages").hidden = pages < 2;
    document.querySelectorAll("[data-page]").forEach((button) => {
      const to = button.dataset.page;
      button.disabled = to === "first" || to === "back" ? page === 0 : page >= pages - 1;
    });
  };
  const sorts = { started: STARTED, outcome: OUTCOME, task: TASK, messages: MESSAGES, tools: TOOLS, errors: ERRORS, tokens: TOKENS, cost: COST, seconds: SECONDS };
  const sorted = () => {
    const [key, way] = form.elements.sort.value.split("-");
    const at = sorts[key], sign = way === "down" ? -1 : 1;
    const value = (row) => row[at];
    order.sort((a, b) => {
      const one = value(rows[a]), other = value(rows[b]);
      if (one === other) return a - b;
      if (one === null) return 1;
      if (other === null) return -1;
      return sign * (typeof one === "string" ? one.localeCompare(other) : one - other);
    });
    document.querySelectorAll("th[data-sort]").forEach((head) => {
      if (head.dataset.sort === key) head.setAttribute("aria-sort", way === "down" ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  const filter = () => {
    const { search, outcome, domain, agent, failed, packed } = form.elements;
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    order = [];
    rows.forEach((row, at) => {
      if (outcome.value !== "" && row[OUTCOME] !== Number(outcome.value)) return;
      if (domain.value !== "" && row[DOMAIN] !== Number(domain.value)) return;
      if (agent.value !== "" && !row[AGENTS].includes(Number(agent.value))) return;
      if (failed.checked && !row[ERRORS]) return;
      if (packed.checked && !row[PACKED]) return;
      if (wanted.every((word) => haystack[at].includes(word))) order.push(at);
    });
    page = 0;
    sorted();
    show();
  };
  if (rows.length) {
    const count = (place) => { const counts = new Map(); for (const row of rows) for (const at of [row[place]].flat()) counts.set(at, (counts.get(at) || 0) + 1); return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 200); };
    for (const [select, place] of [[form.elements.domain, DOMAIN], [form.elements.agent, AGENTS]])
      for (const [at, times] of count(place)) select.append(make("option", { value: String(at) }, `${(names[at] || "none").slice(0, 60)} (${thin(times)})`));
    let timer = 0;
    form.addEventListener("input", (event) => { clearTimeout(timer); timer = setTimeout(filter, event.target.type === "search" ? 120 : 0); });
    form.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
    form.addEventListener("reset", () => setTimeout(filter));
    document.querySelectorAll("[data-page]").forEach((button) => button.addEventListener("click", () => {
      const to = button.dataset.page;
      page = to === "first" ? 0 : to === "last" ? Infinity : to === "back" ? page - 1 : page + 1;
      show();
      byId("runs").scrollIntoView();
    }));
    document.querySelectorAll("th[data-sort] button").forEach((button) => button.addEventListener("click", () => {
      const key = button.parentElement.dataset.sort;
      const [now, way] = form.elements.sort.value.split("-");
      const next = now === key ? (way === "down" ? "up" : "down") : key === "task" ? "up" : "down";
      form.elements.sort.value = `${key}-${next}`;
      sorted();
      page = 0;
      show();
    }));
    body.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || event.target.tagName !== "A") return;
      const links = [...body.querySelectorAll("td.task > a")];
      const next = links[links.indexOf(event.target) + step];
      if (next) { event.preventDefault(); next.focus(); }
    });
    filter();
  }

  // -- one run, opened on demand ---------------------------------------------------------------------------
  const home = byId("home"), panel = byId("one-run"), title = document.title;
  const place = new Map(rows.map((row, at) => [row[ID], at]));
  let shown = null, scrolled = 0;
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  const about = (id) => {
    const row = rows[place.get(id)];
    if (!row) return make("article", { class: "run" }, make("h1", { id: "run-h", tabIndex: -1 }, "There is no such run in this report"), make("p", {}, "Its id: ", make("code", {}, bdi(id))));
    return make("article", { class: "run" },
      make("h1", { id: "run-h", tabIndex: -1 }, bdi(row[TASK] || "(no task was said)")),
      make("p", { class: "verdict" }, make("span", { class: `pill ${kinds[row[OUTCOME]]}` }, signs[row[OUTCOME]] + words[row[OUTCOME]]), names[row[SOURCE]] ? " says " : "", names[row[SOURCE]] ? bdi(names[row[SOURCE]]) : ""),
      make("p", { class: "soft small" }, make("code", {}, bdi(row[ID])), ` · ${when(row[STARTED])} UTC`),
      make("p", {}, "Agents: ", bdi(agentsOf(row))),
      make("p", {}, `${many(row[MESSAGES], "message")}, ${many(row[TOOLS], "tool call")}, ${many(row[ERRORS], "error")}${row[TOKENS] ? `, ${many(row[TOKENS], "token")}` : ""}${row[COST] === null ? "" : `, cost ${money(row[COST])}`}${row[SECONDS] === null ? "" : `, took ${took(row[SECONDS])}`}.`));
  };
  // an id may hold anything, and somebody may copy the command into a shell
  const typed = (id) => (/^[\w@%+=:,./-]+$/.test(id) ? id : `'${id.replaceAll("'", "'\"'\"'")}'`);
  const commands = (id, before) => make("div", { class: "note" }, make("p", {}, before),
    make("p", {}, make("code", {}, `seasoned report ${typed(id)}`), " writes a report of it, ", make("code", {}, `seasoned show ${typed(id)}`), " shows it in a terminal."));
  const details = async (id) => {
    const at = place.get(id);
    const source = at === undefined || !rows[at][PACKED] ? null : byId(`packed-${rows[at][PACKED]}`);
    if (!source) { const told = about(id); if (at !== undefined) told.append(commands(id, rows[at][INSIDE] ? "This run happened inside another one, whose report has it." : "The details of this run are not in this file.")); return told; }
    if (typeof DecompressionStream === "undefined") { const told = about(id); told.append(commands(id, "This browser is too old to unpack the details.")); return told; }
    try { return build(await unpack(source.textContent), null); }
    catch (error) { const told = about(id); told.append(commands(id, `The details could not be unpacked (${error}).`)); return told; }
  };
  const route = async () => {
    const match = /^#run\/([^/]+)(?:\/(.+))?$/.exec(location.hash);
    if (!match) {
      if (shown === null) return toHash();
      const last = shown;
      shown = null;
      panel.hidden = true; home.hidden = false; panel.replaceChildren();
      document.title = title;
      const target = location.hash.length > 1 ? byId(decodeURIComponent(location.hash.slice(1))) : null;
      if (target && target.id !== "runs") { openAround(target); target.scrollIntoView(); return; }
      scrollTo({ top: scrolled, behavior: "instant" });
      body.querySelector(`a[href="${CSS.escape(link(rows[place.get(last)] || []))}"]`)?.focus({ preventScroll: true });
      return;
    }
    let id, anchor;
    try { id = decodeURIComponent(match[1]); anchor = match[2] && decodeURIComponent(match[2]); } catch { return; }
    if (shown !== id) {
      if (shown === null) scrolled = scrollY;
      shown = id;
      lastFailure = -1;
      const told = await details(id);
      if (shown !== id) return;
      const back = make("p", { class: "back" }, make("a", { href: "#runs" }, "← All runs"));
      panel.replaceChildren(back, told);
      reveal(panel);
      home.hidden = true; panel.hidden = false;
      centre();
      document.title = `Run ${id}`;
      if (!anchor) { scrollTo({ top: 0, behavior: "instant" }); (byId("run-h") || panel).focus({ preventScroll: true }); }
    }
    const target = anchor && byId(anchor);
    if (target) {
      panel.querySelectorAll(".here").forEach((one) => one.classList.remove("here"));
      if (target.matches(".turn")) target.classList.add("here");
      goTo(target);
    }
  };
  panel.addEventListener("click", (event) => {
    const to = event.target.closest('a[href^="#"]')?.getAttribute("href");
    if (!to || to === "#runs" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = `#run/${encodeURIComponent(shown)}/${to.slice(1)}`;
    if (location.hash === next) route(); else location.hash = next;
  });
  addEventListener("hashchange", route);
  route();
})();
