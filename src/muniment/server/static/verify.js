// Checks in the browser that an entry is in the ledger: RFC 9162, 2.1.3.2, then the signature of the checkpoint.
"use strict";
(async () => {
  const steps = document.getElementById("steps");
  const source = document.getElementById("verify");
  if (!steps || !source) return;
  const given = JSON.parse(source.textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const text64 = (data) => btoa(String.fromCharCode(...data));
  const sha = async (...parts) => {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  };
  const lines = [];
  const tell = (good, text) => lines.push([good, text]);
  try {
    const leaf = await sha(Uint8Array.of(0), bytes(given.data));
    tell(true, `The hash of this record is ${text64(leaf)}.`);
    const root = await climb(leaf);
    const [origin, size, signedRoot] = given.note.split("\n");
    const whole = Number(size) === given.size && root !== null && text64(root) === signedRoot;
    tell(whole, whole
      ? `With ${given.path.length} other hashes it gives the root that the checkpoint of ${size} entries names.`
      : "It does not give the root that the checkpoint names: this entry is not in the ledger.");
    await signature(origin);
  } catch (error) {
    tell(false, `Your browser could not work it out (${error.name}). Use: muniment ledger verify`);
  }
  steps.replaceChildren(...lines.map(([good, text]) => {
    const item = document.createElement("li");
    item.textContent = text;
    item.className = good ? "passing" : "failing";
    return item;
  }));

  async function climb(leaf) {
    let at = given.index, last = given.size - 1, found = leaf;
    for (const part of given.path.map(bytes)) {
      if (last === 0) return null;
      if (at % 2 === 1 || at === last) {
        found = await sha(Uint8Array.of(1), part, found);
        while (at % 2 === 0 && at !== 0) { at = Math.floor(at / 2); last = Math.floor(last / 2); }
      } else {
        found = await sha(Uint8Array.of(1), found, part);
      }
      at = Math.floor(at / 2);
      last = Math.floor(last / 2);
    }
    return last === 0 ? found : null;
  }

  async function signature(origin) {
    const [name, , key] = given.key.split("+").length > 3
      ? [given.key.split("+")[0], "", given.key.split("+").slice(2).join("+")]
      : given.key.split("+");
    const end = given.note.indexOf("\n\n");
    const message = new TextEncoder().encode(given.note.slice(0, end + 1));
    const line = given.note.slice(end + 2).split("\n").find((one) => one.startsWith(`\u2014 ${name} `));
    const imported = await crypto.subtle.importKey("raw", bytes(key).slice(1), { name: "Ed25519" }, false, ["verify"]);
    const signed = line && bytes(line.split(" ")[2]).slice(4);
    const good = Boolean(signed) && name === origin
      && await crypto.subtle.verify({ name: "Ed25519" }, imported, signed, message);
    tell(good, good
      ? `The checkpoint is signed by ${name}, with the key that begins ${key.slice(0, 12)}. Compare it with the one that you were given.`
      : "The checkpoint is not signed with this key.");
  }
})();
