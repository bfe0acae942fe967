// Has a passkey sign the statement that this page shows, at this origin. The challenge is the digest of the statement.
"use strict";
(() => {
  const form = document.getElementById("confirm");
  const problem = document.getElementById("problem");
  if (!form) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const text = (data) => btoa(String.fromCharCode(...new Uint8Array(data)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const passkeys = form.dataset.passkeys.split(" ").filter(Boolean);
    try {
      const found = await navigator.credentials.get({
        publicKey: {
          challenge: bytes(form.dataset.challenge),
          rpId: form.dataset.rp,
          userVerification: "required",
          allowCredentials: passkeys.map((id) => ({ type: "public-key", id: bytes(id) })),
        },
      });
      form.elements.signature.value = JSON.stringify({
        id: found.id,
        rawId: text(found.rawId),
        type: found.type,
        clientExtensionResults: {},
        response: {
          clientDataJSON: text(found.response.clientDataJSON),
          authenticatorData: text(found.response.authenticatorData),
          signature: text(found.response.signature),
        },
      });
      form.submit();
    } catch (error) {
      problem.textContent = `The passkey did not sign (${error.name}). Try again.`;
    }
  });
})();
