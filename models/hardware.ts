/** What the walkers and TLBs of PEs do of their own accord; part of every system that has both. */
import { NO_CARD } from '../sim/card.ts';
import { sites } from '../sim/site.ts';
import type { Configuration, OperationSpec, Parameter, World } from './system.ts';

export const hardwareSites = sites('hardware', ['speculate', 'evict']);

/**
 * The operations of hardware actors.
 * @param page the parameter that says which input page they are about
 * @param isIn configurations that have them, all by default
 */
export function hardwareOperations<C extends Configuration, W extends World>(
  page: Parameter<C>,
  isIn: (configuration: C) => boolean = () => true,
): readonly OperationSpec<C, W>[] {
  const shared = { roles: ['pe'], parameters: [page], card: NO_CARD } as const;
  return [
    {
      ...shared,
      isIn,
      id: 'speculate',
      title: 'the walker of a PE translates a page that nobody asked for',
      weight: 4,
      *start(self, _world, [at = 0]) {
        return yield* self.speculate(hardwareSites.speculate, at);
      },
    },
    {
      ...shared,
      isIn,
      id: 'evict',
      title: 'a TLB entry for a page vanishes',
      weight: 1,
      *start(self, _world, [at = 0]) {
        yield* self.evict(hardwareSites.evict, at);
        return 0;
      },
    },
  ];
}
