/** What there is to run, and what judges it: the registries, and what a library user or `--load` adds. */
import { SYSTEMS } from '../models/registry.ts';
import type { Configuration, System } from '../models/system.ts';
import type { OracleSpec } from '../oracles/oracle.ts';
import { ORACLES } from '../oracles/registry.ts';
import { assert } from '../sim/assert.ts';

export interface Catalogue {
  readonly systems: readonly System[];
  /** In the order in which they see an event. */
  readonly oracles: readonly OracleSpec[];
}

export const BUILT_IN: Catalogue = Object.freeze({ systems: SYSTEMS, oracles: ORACLES });

/** A system whose name has been checked before: an unknown one is our fault. */
export function systemIn({ systems }: Catalogue, id: string): System {
  const found = systems.find((system) => system.id === id);
  assert(found !== undefined, `system ${id} is registered`);
  return found;
}

export function configurationIn(system: System, id: string): Configuration {
  const found = system.configurations.find((configuration) => configuration.id === id);
  assert(found !== undefined, `${system.id} has a configuration ${id}`);
  return found;
}
