// Says while one types how much would be held. The server says it again, and decides.

const form = document.querySelector("[data-redeem]");

function show() {
  const gpus = Number(form.elements.gpus.value);
  const minutes = Number(form.elements.walltime_minutes.value);
  const line = form.querySelector("[data-holds]");
  const known = Number.isInteger(gpus) && Number.isInteger(minutes) && gpus > 0 && minutes > 0;
  line.hidden = !known;
  if (!known) return;
  const seconds = gpus * minutes * 60;
  const available = Number(form.elements.asset.selectedOptions[0]?.dataset.available ?? 0);
  line.querySelector("[data-hours]").textContent = (Math.floor(seconds / 36) / 100).toLocaleString("en", {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  });
  line.querySelector("[data-over]").hidden = seconds <= available;
}

if (form) {
  form.addEventListener("input", show);
  show();
}
