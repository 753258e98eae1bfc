"""A call auction as plainly as it can be said: every tick is tried, every order is asked at each."""


def naive_auction(orders, reference, *, ends=()):
    """Orders are (side, price or None, quantity, at_market). Answers (price, volume, surplus)."""
    limits = [price for _, price, _, at_market in orders if price is not None and not at_market]
    candidates = [*limits, *ends] + ([] if reference is None else [reference])
    if not candidates:
        return None, 0, 0
    table = []
    for price in range(min(candidates), max(candidates) + 1):
        bought = sum(q for side, limit, q, _ in orders if side == "BUY" and (limit is None or limit >= price))
        sold = sum(q for side, limit, q, _ in orders if side == "SELL" and (limit is None or limit <= price))
        table.append((price, min(bought, sold), bought - sold))
    volume = max(row[1] for row in table)
    if volume == 0:
        return None, 0, 0
    table = [row for row in table if row[1] == volume]
    least = min(abs(row[2]) for row in table)
    table = [row for row in table if abs(row[2]) == least]
    if all(row[2] > 0 for row in table):
        return table[-1]
    if all(row[2] < 0 for row in table):
        return table[0]
    wanted = reference
    if wanted is None:
        wanted = (table[0][0] + table[-1][0] + 1) // 2
    return min(table, key=lambda row: (abs(row[0] - wanted), -row[0]))
