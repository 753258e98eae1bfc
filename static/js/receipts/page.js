// The page that verifies a receipt: reads what was pasted, and says what is proved and what is not.

import { readEntry } from "./entry.js";
import { canVerify, fromHex, Refusal, verify } from "./proof.js";

const byId = (id) => document.getElementById(id);
const form = byId("verify");
const words = byId("words").dataset;
let chosenBytes = null;
let checks = 0;

function show(id, on) {
  byId(id).hidden = !on;
}

function items(list, texts) {
  list.replaceChildren(
    ...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}

function time(date) {
  return `${date.toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

function signed(amount) {
  return amount < 0n ? `−${-amount}` : `+${amount}`;
}

function tell(proof, entry) {
  byId("fact-entry").textContent = entry.kind;
  byId("fact-recorded").textContent = time(entry.recordedAt);
  byId("fact-index").textContent = String(proof.index);
  byId("fact-size").textContent = String(proof.size);
  byId("fact-log").textContent = `${proof.log.name} (${proof.log.idText})`;
  items(
    byId("fact-witnesses"),
    proof.witnesses.map(({ name, at }) => `${name}, ${time(new Date(Number(at) * 1000))}`),
  );
  show("no-witness", proof.witnesses.length === 0);
  const about = entry.sides.map((side) => `${signed(side.amount)} · ${side.wallet} · ${side.asset.slice(0, 12)}…`);
  items(byId("fact-sides"), entry.says ? [entry.says] : about);
}

async function verified() {
  try {
    const bytes = chosenBytes ?? fromHex(byId("entry-bytes").value);
    const proof = await verify(byId("receipt").value, bytes, byId("keys").value);
    return { proof, entry: readEntry(bytes) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { refusal: words[error.message] };
  }
}

async function check() {
  const mine = ++checks;
  show("nothing-yet", false);
  const { proof, entry, refusal } = await verified();
  // Signatures take a moment: what was asked for since then may be answered already.
  if (mine !== checks) return;
  if (refusal) byId("why").textContent = refusal;
  else tell(proof, entry);
  show("proved", !refusal);
  show("proof", !refusal);
  show("refused", Boolean(refusal));
}

if (await canVerify()) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  byId("entry-file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    chosenBytes = file ? new Uint8Array(await file.arrayBuffer()) : null;
  });
  byId("entry-bytes").addEventListener("input", () => {
    chosenBytes = null;
    byId("entry-file").value = "";
  });
  if (byId("receipt").value) check();
} else {
  show("cannot", true);
  for (const control of form.elements) control.disabled = true;
}
