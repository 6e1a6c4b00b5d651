// How it goes: what has been labeled, how right it is, when to stop. All of it is text.

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)}%`;

export function element(tag, text, attributes = {}) {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function accuracy({ right, low, high, answered, unsure, kind }) {
  const of = kind === "audit" ? `${answered} blind labels` : "labels told after it had predicted";
  const doubt = unsure ? `, ${unsure} unsure` : "";
  return right === null ? `none yet (${of}${doubt})`
    : `${percent(right)}, between ${percent(low)} and ${percent(high)} (95%; ${of}${doubt})`;
}

export function showStatus(status) {
  const facts = [
    ["Labels", String(status.labels)],
    ["Left in this round", status.left === null ? "" : String(status.left)],
    ["A minute", status.per_minute === null ? "" : status.per_minute.toFixed(1)],
    ["Trains", status.training],
    ["Accuracy", status.accuracy ? accuracy(status.accuracy) : ""],
  ];
  const list = facts.filter(([, text]) => text)
    .flatMap(([name, text]) => [element("dt", name), element("dd", text)]);
  byId("facts").replaceChildren(...list);
  const sentences = [...status.errors.map((text) => element("li", text, { class: "fault" })),
    ...status.advice.map((text) => element("li", text))];
  const before = byId("advice").textContent;
  const after = sentences.map((one) => one.textContent).join("");
  if (before !== after) byId("advice").replaceChildren(...sentences);
  byId("project").textContent = status.project;
  document.title = `Label ${status.project}`;
}

// Whether all is on the server's disk, in words.
export function showSaved({ waiting, trouble, isKept }) {
  const many = waiting.length === 1 ? "1 answer waits" : `${waiting.length} answers wait`;
  const where = isKept ? "in this browser" : "in this tab: leave it open";
  const why = {
    unreachable: "No connection",
    failing: "The server cannot save",
    locked: "Open the address that jax-al printed when it started",
  }[trouble];
  const node = byId("saved");
  node.textContent = !waiting.length ? "Saved" : why ? `${why}: ${many} ${where}` : "Saving";
  node.className = !waiting.length ? "saved" : why ? "saved trouble" : "saved";
}

// What was refused, until somebody decides.
export function showRefused(refused, insist, leave) {
  const list = byId("notices"), state = refused.map((thing) => thing.token).join();
  if (list.dataset.state === state) return; // it was read out, and its buttons may have the focus
  list.dataset.state = state;
  list.replaceChildren(...refused.map((thing) => {
    const item = element("li", "");
    const said = thing.body.said === undefined ? "" : ` You said ${thing.body.said}.`;
    item.append(element("span", thing.sentence + said));
    if (thing.isConflict) {
      const button = element("button", `Say ${thing.body.said} all the same`, { type: "button" });
      button.addEventListener("click", () => insist(thing));
      item.append(button);
    }
    const button = element("button", thing.isConflict ? "Leave it as it is" : "All right", { type: "button" });
    button.addEventListener("click", () => leave(thing));
    item.append(button);
    return item;
  }));
}

// `classes`: {name, count, key}; `chosen`: what was said of the item that is shown.
export function showClasses(classes, chosen, suggested, choose) {
  const list = byId("classes");
  const state = JSON.stringify([classes, chosen, suggested]);
  if (list.dataset.state === state) return; // a button that has the focus keeps it
  list.dataset.state = state;
  const old = [...list.children];
  classes.forEach(({ name, count, key }, place) => {
    const button = old[place] ?? list.appendChild(element("button", "", { type: "button" }));
    // What is to be seen is the name that is read out and spoken to, and some words more.
    button.replaceChildren(element("kbd", key), element("span", name, { class: "name" }),
      element("span", String(count), { class: "count" }),
      element("span", name === suggested ? "labeled, suggested" : "labeled", { class: "unseen" }));
    button.querySelector("kbd").hidden = !key;
    button.title = name; // the button shows its beginning
    if (key) button.setAttribute("aria-keyshortcuts", key);
    else button.removeAttribute("aria-keyshortcuts");
    button.setAttribute("aria-pressed", String(name === chosen));
    button.classList.toggle("suggested", name === suggested);
    button.onclick = () => choose(name);
  });
  for (const button of old.slice(classes.length)) button.remove();
}
