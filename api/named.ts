/** Names that library users give, checked: a UsageError lists what there is. */
import { configurationsOf } from '../campaign/options.ts';
import { UsageError } from '../campaign/usage.ts';
import type { Bug, Configuration, System } from '../models/system.ts';

/** The first correct configuration when none is named. */
export function configurationOf(system: System, id: string | undefined): Configuration {
  return configurationsOf(system, id, undefined)[0]!;
}

export function bugOf(system: System, id: string): Bug {
  const found = system.bugs.find((bug) => bug.id === id);
  if (found !== undefined) return found;
  const known = system.bugs.map((bug) => bug.id).join(', ');
  throw new UsageError(`${system.id} has no bug "${id}" (${known})`);
}
