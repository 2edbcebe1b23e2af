/** `list`: what there is. */
import { catalogue } from '../campaign/catalogue.ts';
import { UsageError } from '../campaign/options.ts';
import { STRATEGIES } from '../fuzz/strategies/registry.ts';
import { Exit, print, printJson, table } from './terminal.ts';

interface Item {
  readonly id: string;
  readonly title: string;
  readonly system?: string;
  readonly [more: string]: unknown;
}

const LISTS: Readonly<Record<string, () => readonly Item[]>> = {
  systems: () => catalogue().systems.map(({ id, title, mirrors }) => ({ id, title, mirrors })),
  configurations: () =>
    catalogue().systems.flatMap((system) =>
      system.configurations.map(({ id, title, kind, fidelity, isReal }) => ({
        id,
        title,
        system: system.id,
        kind,
        fidelity,
        isReal,
      })),
    ),
  operations: () =>
    catalogue().systems.flatMap((system) =>
      system.operations
        .filter(({ weight }) => weight > 0)
        .map(({ id, title, roles, parameters }) => ({
          id,
          title,
          system: system.id,
          roles,
          form: [id, ...parameters.map(({ name }) => name)].join(' '),
        })),
    ),
  bugs: () =>
    catalogue().systems.flatMap((system) =>
      system.bugs.map(({ id, title, upstream, caughtBy }) => ({
        id,
        title,
        system: system.id,
        upstream,
        caughtBy,
      })),
    ),
  oracles: () => catalogue().oracles.map(({ id, claim }) => ({ id, title: claim })),
  strategies: () => STRATEGIES.map(({ id, title }) => ({ id, title })),
};

export const LIST_NAMES = Object.keys(LISTS);

export function list(what: string, flags: { readonly json?: boolean }): number {
  const items = LISTS[what]?.();
  if (items === undefined) throw new UsageError(`cannot list "${what}" (${LIST_NAMES.join(', ')})`);
  if (flags.json === true) printJson({ command: 'list', items });
  else {
    const hasSystem = items.some(({ system }) => system !== undefined);
    const head = hasSystem ? ['system', 'id', 'title'] : ['id', 'title'];
    print(
      table(
        head,
        items.map(({ system, id, title }) => (hasSystem ? [system ?? '', id, title] : [id, title])),
      ),
    );
  }
  return Exit.Clean;
}
