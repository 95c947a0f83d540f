// A button beside each block of code and each id marked with data-copy. Where the browser has no clipboard for us there is none.

/** @param {HTMLElement} code */
function enliven(code) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  const name = code.dataset.copy || "code";
  button.setAttribute("aria-label", `Copy ${name}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1600);
  });
  const caption = code.closest("figure")?.querySelector("figcaption");
  if (caption) caption.append(button);
  else code.after(button);
}

if (navigator.clipboard) document.querySelectorAll("[data-copy], .code pre > code").forEach(enliven);
