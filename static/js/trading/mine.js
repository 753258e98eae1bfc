// My orders: the list is fetched anew when they may have changed, and never from under somebody who types new terms.

export const [SOON, LATER] = [250, 5000];
let telling = null;
let toldAt = 0;

function amending() {
  return document.querySelector("#mine details.amend[open]");
}

/** My orders may have changed: their fragment listens for this. Told soon where an event touches one of them, or an
 *  auction is on, and otherwise now and then: what they are worth. */
export function changed(delay) {
  const at = performance.now() + delay;
  if (telling && toldAt <= at) return;
  clearTimeout(telling);
  toldAt = at;
  telling = setTimeout(() => {
    telling = null;
    // Somebody is typing new terms: the list is fetched anew once they are sent or put away.
    if (amending()) return changed(SOON);
    document.body.dispatchEvent(new CustomEvent("market-event"));
  }, delay);
}

export function touchesMine(event) {
  if (document.querySelector("#phase[data-auction]")) return true;
  const own = [...document.querySelectorAll("#mine [data-open]")].map(({ dataset }) => `${dataset.side} ${dataset.price}`);
  return own.length > 0 && event.levels.some(([side, price]) => own.includes(`${side} ${price}`));
}

/** Put new terms away unsent; false where none are open around this element. */
export function putAway(element) {
  const open = element.closest("#mine details.amend[open]");
  if (!open) return false;
  open.open = false;
  open.querySelector("summary").focus();
  return true;
}

// A list that was asked for before the terms were opened comes too late: it would take them away half typed.
document.addEventListener("htmx:before:swap", (event) => {
  if (event.target.id !== "mine" || !amending()) return;
  event.preventDefault();
  changed(SOON);
});
