// Choices that a browser keeps. Storage may be forbidden: a choice then lasts for the page.

export function kept(name, otherwise) {
  try {
    return localStorage.getItem(name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Not kept.
  }
}
