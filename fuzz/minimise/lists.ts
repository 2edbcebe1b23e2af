/** Passes over constraints and choices. */
import type { Plan } from '../schedule.ts';
import type { Attempts } from './attempts.ts';

/** Large parts first, then single constraints, until nothing can go. */
export function shrinkOrder(work: Attempts): void {
  shrinkList(
    work,
    () => work.best.order,
    (order) => ({ ...work.best, order }),
  );
}

export function shrinkChoices(work: Attempts): void {
  shrinkList(
    work,
    () => work.best.choices,
    (choices) => ({ ...work.best, choices }),
  );
}

function shrinkList<Item>(
  work: Attempts,
  items: () => readonly Item[],
  withItems: (items: readonly Item[]) => Plan,
): void {
  if (items().length > 0 && work.accept(withItems([]))) return;
  for (
    let size = Math.ceil(items().length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < items().length && work.hasBudget; ) {
      const rest = [...items().slice(0, from), ...items().slice(from + size)];
      if (!work.accept(withItems(rest))) from += size;
    }
  }
}
