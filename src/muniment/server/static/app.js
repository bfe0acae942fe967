// Comforts, never needed: without it menus close by their own button, and a dialog's button leads to a page with it open.
"use strict";
addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = menu.contains(event.target);
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) { event.preventDefault(); if (!dialog.open) dialog.showModal(); }
  const closer = event.target.closest("dialog [data-close]");
  if (closer) { event.preventDefault(); closer.closest("dialog").close(); }
});
for (const field of document.querySelectorAll("[data-from-hash]")) {
  if (!field.value) field.value = decodeURIComponent(location.hash.slice(1)); // never sent: only the form sends it
}
addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});
for (const form of document.querySelectorAll("form[data-draft]")) { // keeps what is typed, so that a reload loses nothing
  let timer = 0;
  const keep = async () => {
    const answer = await fetch(form.dataset.draft, { method: "POST", body: new URLSearchParams(new FormData(form)), keepalive: true });
    form.querySelector("[data-draft-state]").textContent = answer.status === 204 ? form.dataset.saved : "";
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(keep, 800); });
}
