/**
 * Six changes of the code under test, such as refactoring makes them: what a corpus must survive. Each is a
 * change of the system before it boots, and of nothing that a case says; a rename is made the other way round: the
 * case has the names from before, which the code keeps as aliases.
 */
import type { Case } from '../../fuzz/case.ts';
import { END, type EventName } from '../../fuzz/names.ts';
import type { Program } from '../../fuzz/program.ts';
import type { CodeChange } from '../../fuzz/session.ts';
import type { OperationSpec, System, World } from '../../models/system.ts';
import { Access } from '../../sim/access.ts';
import { Actor, type Operation } from '../../sim/actor.ts';
import { Result } from '../../sim/card.ts';
import type { ActorFactory, Machine } from '../../sim/machine.ts';
import { groupOf, type Site, type Sites, siteOf, sites } from '../../sim/site.ts';

export interface NamedChange {
  readonly name: string;
  readonly change: CodeChange;
  /** The case as it was before the change; itself in all but one. */
  readonly before: (value: Case) => Case;
}

const itself = (value: Case): Case => value;

/** @param merged which site is merged into which other: see `mergeable` */
export function codeChanges(merged: ReadonlyMap<string, string>): readonly NamedChange[] {
  return [
    {
      name: 'an access more at the start of every operation',
      change: { system: extraAccess },
      before: itself,
    },
    {
      name: 'two steps merged in every group of sites',
      change: mergedSteps(merged),
      before: itself,
    },
    {
      name: 'an actor more',
      change: { system: extraActor, program: withExtraActor },
      before: itself,
    },
    {
      name: 'a question more at the start of every operation',
      change: { system: extraQuestion },
      before: itself,
    },
    { name: 'every operation and site renamed', change: { system: renamed }, before: withOldNames },
    { name: 'actors made in the opposite order', change: { system: reordered }, before: itself },
  ];
}

// ---- one access, one question more ----

type Begin = (self: Actor) => Operation<void>;

function beginningWith(system: System, begin: Begin): System {
  const operations = system.operations.map(
    (spec): OperationSpec => ({
      ...spec,
      *start(self: Actor, world: World, args: readonly number[]): Operation<number> {
        yield* begin(self);
        return yield* spec.start(self, world, args);
      },
    }),
  );
  return { ...system, operations };
}

const EXTRA_ACCESS = siteOf('test.extraAccess');
const EXTRA_QUESTION = siteOf('test.extraQuestion');

/** A word of the kernel's own pages. To read it changes nothing, as a barrier would. */
const KERNEL_WORD = 0;

function extraAccess(system: System): System {
  return beginningWith(system, function* (self) {
    yield* self.readOnce(EXTRA_ACCESS, KERNEL_WORD);
  });
}

function extraQuestion(system: System): System {
  return beginningWith(system, function* (self) {
    self.choose(EXTRA_QUESTION, 2);
  });
}

// ---- an actor more, actors in another order ----

const STRANGER = 'stranger';
const STRANGER_ACCESSES = 5;
const strangerSite = siteOf('test.stranger');

function extraActor(system: System): System {
  const work: OperationSpec = {
    ...system.operations.find(({ roles }) => roles.includes('host'))!,
    id: STRANGER,
    isIn: () => true,
    parameters: [],
    card: {
      tree: -1,
      lock: 'none',
      inside: [],
      outside: [],
      unusable: 'nothing',
      by: 'end',
      claims: [],
      results: [Result.Ok],
    },
    cardIn: () => work.card,
    *start(self: Actor): Operation<number> {
      for (let i = 0; i < STRANGER_ACCESSES; i += 1) yield* self.isb(strangerSite);
      return 0;
    },
  };
  return {
    ...system,
    operations: [...system.operations, work],
    machine: (configuration) => {
      const spec = system.machine(configuration);
      const host = spec.actors.find(({ role }) => role === 'host');
      if (host !== undefined)
        return { ...spec, actors: [...spec.actors, { ...host, name: STRANGER }] };
      const own = { name: STRANGER, role: 'host', pe: spec.pes } as const;
      return { ...spec, pes: spec.pes + 1, actors: [...spec.actors, own] };
    },
  };
}

function withExtraActor(program: Program): Program {
  const operations = [{ key: 'x1', operation: STRANGER, args: [] }];
  return [...program, { actor: STRANGER, operations }];
}

function reordered(system: System): System {
  return {
    ...system,
    machine: (configuration) => {
      const spec = system.machine(configuration);
      return { ...spec, actors: [...spec.actors].reverse() };
    },
  };
}

// ---- renamed ----

function renamed(system: System): System {
  const now = (id: string): string => `${id}-renamed`;
  const epilogue = Object.entries(system.epilogue).map(([role, id]) => [role, now(id!)]);
  return {
    ...system,
    operations: system.operations.map((spec) => ({
      ...spec,
      id: now(spec.id),
      formerly: [spec.id],
    })),
    epilogue: Object.fromEntries(epilogue) as System['epilogue'],
    sites: system.sites.map((declared) => {
      const { names } = groupOf(declared);
      return withAliases(
        declared,
        new Map(names.map((name) => [oldSite(`${groupOf(declared).group}.${name}`), name])),
      );
    }),
  };
}

function oldSite(site: string): string {
  return site === END ? site : site.replace('.', '-before.').concat('Before');
}

function withOldNames(value: Case): Case {
  const old = (name: EventName): EventName => ({ ...name, site: oldSite(name.site) });
  return {
    ...value,
    order: value.order.map(({ before, after }) => ({ before: old(before), after: old(after) })),
    choices: value.choices.map(({ event, answer }) => ({ event: old(event), answer })),
    expect: value.expect === undefined ? undefined : { ...value.expect, at: old(value.expect.at) },
  };
}

function withAliases(declared: Sites<string>, more: ReadonlyMap<string, string>): Sites<string> {
  const { group, names, aliases } = groupOf(declared);
  return sites(group, names, { ...aliases, ...Object.fromEntries(more) });
}

// ---- two steps merged ----

/** Accesses that can be made with the one before them: they never wait. */
const MERGEABLE: ReadonlySet<Access> = new Set<Access>([Access.Read, Access.Store]);

/** Tells which site follows which, without looking at more than what each actor does. */
export class Followers {
  /** By site: the sites of the accesses just before and after it; 0 where there was none or another kind. */
  readonly #before = new Map<Site, Set<Site>>();
  readonly #after = new Map<Site, Set<Site>>();
  readonly #mergeable = new Map<Site, boolean>();
  readonly #last = new Map<number, readonly [operation: number, site: Site]>();

  readonly createActor: ActorFactory = (machine, index, spec) => {
    const followers = this;
    return new (class extends Actor {
      override [Symbol.iterator](): Iterator<void, number, undefined> {
        followers.#note(this);
        return super[Symbol.iterator]();
      }
    })(machine, index, spec.name, spec.role, spec.pe, spec.tree);
  };

  #note(actor: Actor): void {
    const { site, access, operation, machine } = actor;
    const [before, last] = this.#last.get(actor.index) ?? [-1, 0];
    add(this.#before, site, before === operation ? last : 0);
    if (before === operation) add(this.#after, last, site);
    else if (before >= 0) add(this.#after, last, 0);
    const canMerge = MERGEABLE.has(access) && (access === Access.Read || !machine.delays);
    this.#mergeable.set(site, canMerge && (this.#mergeable.get(site) ?? true));
    this.#last.set(actor.index, [operation, site]);
  }

  /** Runs of different programs do not follow each other. */
  reset(): void {
    this.#last.clear();
  }

  /**
   * One pair of each group, the first in the order of declaration: the second always comes right after the first,
   * and the first is always followed by it.
   */
  pairs(declared: readonly Sites<string>[]): ReadonlyMap<string, string> {
    const pairs = new Map<string, string>();
    for (const one of declared) {
      const { group, names } = groupOf(one);
      const ids = new Map(names.map((name) => [siteOf(`${group}.${name}`), name]));
      for (const [site, name] of ids) {
        const [only, ...others] = this.#before.get(site) ?? [];
        if (only === undefined || others.length > 0 || !ids.has(only) || only === site) continue;
        if (this.#mergeable.get(site) !== true || this.#after.get(only)?.size !== 1) continue;
        pairs.set(`${group}.${name}`, ids.get(only)!);
        break;
      }
    }
    return pairs;
  }
}

function add(map: Map<Site, Set<Site>>, key: Site, value: Site): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, new Set([value]));
  else known.add(value);
}

function mergedSteps(merged: ReadonlyMap<string, string>): CodeChange {
  const second = new Set([...merged.keys()].map(siteOf));
  return {
    system: (system) => ({
      ...system,
      sites: system.sites.map((declared) => {
        const { group, names } = groupOf(declared);
        // two systems may have a group of one name
        const isOurs = (site: string) => names.some((name) => `${group}.${name}` === site);
        const own = [...merged].filter(
          ([second, first]) => isOurs(second) && names.includes(first),
        );
        return withAliases(declared, new Map(own));
      }),
    }),
    createActor: (machine, index, spec) => new MergingActor(machine, index, spec, second),
  };
}

/** Makes the second of two merged accesses at once, as part of the event of the first. */
class MergingActor extends Actor {
  readonly #second: ReadonlySet<Site>;

  constructor(
    machine: Machine,
    index: number,
    { name, role, pe, tree }: Parameters<ActorFactory>[2],
    second: ReadonlySet<Site>,
  ) {
    super(machine, index, name, role, pe, tree);
    this.#second = second;
  }

  override [Symbol.iterator](): Iterator<void, number, undefined> {
    if (this.#second.has(this.site) && !this.machine.halted) this.resumed = true;
    return super[Symbol.iterator]();
  }
}
