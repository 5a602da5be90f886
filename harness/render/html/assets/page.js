// Theme and printing. Every page has it; charts listen to the "theme" event that it sends.
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  const remembered = () => {
    try { return localStorage.getItem("harness-theme"); } catch { return null; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("harness-theme", theme); } catch { /* A page from disk may have no storage. */ }
  };
  const apply = (theme) => {
    if (theme === "auto") root.removeAttribute("data-theme"); else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    document.dispatchEvent(new Event("theme"));
  };
  let current = themes.includes(remembered()) ? remembered() : "auto";
  button.hidden = false;
  button.addEventListener("click", () => {
    current = themes[(themes.indexOf(current) + 1) % themes.length];
    remember(current);
    apply(current);
  });
  apply(current);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("theme")));

  const print = document.getElementById("print");
  print.hidden = false;
  print.addEventListener("click", () => window.print());
  // On paper everything is open, and on white.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    root.dataset.theme = "light";
    document.dispatchEvent(new Event("theme"));
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => { details.open = false; });
    apply(current);
  });
})();
