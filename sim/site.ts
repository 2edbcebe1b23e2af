/**
 * Sites: the declared names of accesses. A site names events in traces, cases, coverage and
 * signatures, so it is never a line number and survives refactoring.
 *
 * A site is a 30-bit hash of its name: stable when sites are added or reordered, and a small
 * integer on the hot path. `directory` turns the sites of one system back into names and rejects
 * collisions.
 */
import { assert } from './assert.ts';

/** A declared place of an algorithm, as a hash of its name. */
export type Site = number;

/** A group of sites as declared by one operation. */
export interface SiteGroup {
  readonly group: string;
  readonly names: readonly string[];
  /**
   * Old name -> present name, for sites that were renamed or merged. An old name with a dot in it is that
   * of a site of another group.
   */
  readonly aliases: Readonly<Record<string, string>>;
}

const GROUP = Symbol('site group');

/** The sites of a group by name. */
export type Sites<Name extends string> = { readonly [K in Name]: Site } & {
  readonly [GROUP]: SiteGroup;
};

/** Declares a group of sites. */
export function sites<const Name extends string>(
  group: string,
  names: readonly Name[],
  aliases: Readonly<Record<string, Name>> = {},
): Sites<Name> {
  const result: Record<string | symbol, unknown> = { [GROUP]: { group, names, aliases } };
  for (const name of names) result[name] = siteOf(`${group}.${name}`);
  return Object.freeze(result) as Sites<Name>;
}

/** What was declared. */
export function groupOf(declared: Sites<string>): SiteGroup {
  return declared[GROUP];
}

/** FNV-1a over the name, folded to 30 bits; never 0. */
export function siteOf(name: string): Site {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return ((hash ^ (hash >>> 30)) & 0x3fffffff) | 1;
}

/** Names of all sites of one system. */
export class SiteDirectory {
  readonly #names = new Map<Site, string>();
  readonly #sites = new Map<string, Site>();

  constructor(groups: readonly Sites<string>[]) {
    for (const declared of groups) {
      const { group, names, aliases } = declared[GROUP];
      for (const name of names) this.#add(`${group}.${name}`);
      for (const [old, present] of Object.entries(aliases)) {
        assert(names.includes(present), `alias ${group}.${old} names a declared site`);
        const whole = old.includes('.') ? old : `${group}.${old}`;
        this.#sites.set(whole, siteOf(`${group}.${present}`));
      }
    }
  }

  #add(name: string): void {
    const site = siteOf(name);
    const known = this.#names.get(site);
    assert(known === undefined || known === name, `sites ${known} and ${name} have one hash`);
    this.#names.set(site, name);
    this.#sites.set(name, site);
  }

  name(site: Site): string {
    return this.#names.get(site) ?? `undeclared-${site.toString(16)}`;
  }

  has(site: Site): boolean {
    return this.#names.has(site);
  }

  /** The site of a present or former name; undefined when nobody declared it. */
  find(name: string): Site | undefined {
    return this.#sites.get(name);
  }

  get names(): readonly string[] {
    return [...this.#names.values()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }
}
