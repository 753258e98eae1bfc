// Price alerts are fired by the server from the trades; the page only asks again once a trade has crossed one.

// The server looks every two seconds; the second time is for a slow one.
const LATER = [3000, 9000];

/** Look at one trade's price. */
export function watch(price) {
  for (const alert of document.querySelectorAll("#alert-list [data-waits]")) {
    const wanted = Number(alert.dataset.price);
    if (alert.dataset.waits === "ABOVE" ? price < wanted : price > wanted) continue;
    delete alert.dataset.waits;
    for (const later of LATER) setTimeout(() => document.body.dispatchEvent(new CustomEvent("alerts-changed")), later);
  }
}
