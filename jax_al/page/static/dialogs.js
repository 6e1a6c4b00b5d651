// What asks the person something: classes, a class by its name, whether a label may be changed.

import { post } from "./outbox.js";
import { element } from "./panel.js";

const byId = (id) => document.getElementById(id);

export const isAsking = () => document.querySelector("dialog[open]") !== null;

// Whether the person is sure.
export function confirmed(text) {
  // A new one each time: a dialog tells that it was closed a frame later, when the next question may
  // be open already, which would be taken as answered.
  const dialog = byId("sure").cloneNode(true);
  byId("sure").replaceWith(dialog);
  byId("sure-text").textContent = text;
  dialog.showModal();
  return new Promise((tell) => {
    dialog.addEventListener("close", () => tell(dialog.returnValue === "yes"), { once: true });
  });
}

// Adds, renames and merges classes of `page`; `changed(status)` after each change.
export function openClasses(page, classes, changed) {
  const dialog = byId("class-dialog"), fault = byId("class-fault");
  fault.textContent = "";
  byId("add-name").value = byId("rename-new").value = "";
  byId("rename-old").replaceChildren(...classes.map(({ name }) => element("option", name, { value: name })));
  byId("rename-form").hidden = !classes.length;
  const change = async (what, name, other) => {
    const reply = await post("/api/class", { page, do: what, name, other });
    if (reply.status === 200) {
      dialog.close();
      changed(reply.data);
    } else fault.textContent = reply.data?.error ?? "No connection, so it may not have been changed. Try again.";
  };
  byId("add-form").onsubmit = (event) => {
    event.preventDefault();
    change("add", byId("add-name").value.trim(), "");
  };
  byId("rename-form").onsubmit = async (event) => {
    event.preventDefault();
    const old = byId("rename-old").value, name = byId("rename-new").value.trim();
    const isThere = classes.some((one) =>
      one.name === name || (one.name !== old && one.name.normalize() === name.normalize()));
    if (!isThere) change("rename", old, name);
    else if (await confirmed(`All that is “${old}” becomes “${name}”, and “${old}” is gone. This cannot be undone.`))
      change("merge", old, name);
  };
  dialog.showModal();
  byId("add-name").focus();
}

// Classes by a part of their name; Enter takes the first that fits.
export function openFind(classes, choose) {
  const dialog = byId("find"), field = byId("find-name");
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const fitting = () => {
    const part = fold(field.value.trim());
    const fits = classes.filter(({ name }) => fold(name).includes(part));
    return fits.sort((a, b) => fold(b.name).startsWith(part) - fold(a.name).startsWith(part));
  };
  const take = (name) => {
    dialog.close();
    choose(name);
  };
  field.oninput = () => {
    const found = fitting();
    byId("find-first").textContent = found.length ? `Enter: ${found[0].name}` : "No class fits.";
    byId("find-list").replaceChildren(...found.slice(0, 30).map(({ name }) => {
      const button = element("button", name, { type: "button" });
      button.addEventListener("click", () => take(name));
      return button;
    }));
  };
  byId("find-form").onsubmit = (event) => {
    event.preventDefault();
    const [first] = fitting();
    if (first) take(first.name);
  };
  field.value = "";
  field.oninput();
  dialog.showModal();
  field.focus();
}

