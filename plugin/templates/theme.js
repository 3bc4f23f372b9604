"use strict";
try {
  const kept = localStorage.getItem("seasoned-theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
} catch { /* storage is not allowed here: the system's colours are used */ }
