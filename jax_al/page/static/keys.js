// Which key is which class, and which key was pressed.

export const COMMANDS = {
  Backspace: "undo", " ": "skip", u: "unsure", b: "broken", g: "grid", z: "zoom",
  n: "new", "/": "find", "?": "help", ArrowLeft: "back", ArrowRight: "forward",
  ArrowUp: "up", ArrowDown: "down", Enter: "suggested", Escape: "leave",
};
const DIGITS = "1234567890";

// The keys of classes, in their order; "" where no letter of the name is free. A class that comes
// later changes no key of those before it.
export function keysOf(names) {
  const taken = new Set(Object.keys(COMMANDS));
  return names.map((name, place) => {
    if (place < DIGITS.length) return DIGITS[place];
    const letters = [...name.normalize("NFD").toLowerCase()].filter((one) => /^\p{L}$/u.test(one));
    const key = letters.find((letter) => !taken.has(letter)) ?? "";
    taken.add(key);
    return key;
  });
}

// The keys that were meant, likeliest first; none for what belongs to the browser. Digits count by
// their place, too, as on a French keyboard, and so do letters, where the keyboard writes others.
export function meant(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return [];
  const { key, code, shiftKey } = event;
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(code)?.[1];
  const letter = /^Key([A-Z])$/.exec(code)?.[1].toLowerCase();
  if (key.length > 1) return [key];
  const first = digit && !shiftKey && !/^[0-9/?]$/.test(key) ? [digit] : [];
  const last = letter && !/^[a-z]$/i.test(key) ? [letter] : [];
  return [...first, key.toLowerCase(), ...last];
}
