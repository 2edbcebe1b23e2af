/** Sites: stable hashes, aliases, and the directory that turns them back into names. */
import test from 'ava';
import { InternalError } from '../../sim/assert.ts';
import { SiteDirectory, siteOf, sites } from '../../sim/site.ts';

/** Two names with one hash, found by search. */
const COLLIDING = ['collide.9508', 'collide.182009'] as const;

test('the hash of a name is pinned, since recorded digests contain it', (t) => {
  t.deepEqual(
    ['walk.level3', 'machine.run', 'stage2-map.breakLeaf', ''].map((name) => siteOf(name)),
    [229191987, 838093111, 959348369, 18652615],
  );
});

test('a site is a positive 30-bit number', (t) => {
  for (let i = 0; i < 2000; i += 1) {
    const site = siteOf(`group.name${i}`);
    t.true(Number.isInteger(site) && site > 0 && site < 2 ** 30);
  }
});

test('a group gives each name the hash of group and name, whatever the order', (t) => {
  const one = sites('group', ['read', 'write']);
  const other = sites('group', ['write', 'added', 'read']);
  t.is(one.read, siteOf('group.read'));
  t.is(one.read, other.read);
  t.is(one.write, other.write);
});

test('a group cannot be changed', (t) => {
  const at: Record<string, number> = sites('group', ['read']);
  t.throws(() => {
    at.read = 1;
  });
});

test('one name in two groups is two sites', (t) => {
  t.not(sites('map', ['read']).read, sites('unmap', ['read']).read);
});

test('the directory names every declared site and finds it by name', (t) => {
  const directory = new SiteDirectory([sites('b', ['two']), sites('a', ['one', 'three'])]);
  t.is(directory.name(siteOf('a.one')), 'a.one');
  t.is(directory.find('b.two'), siteOf('b.two'));
  t.true(directory.has(siteOf('a.three')));
  t.deepEqual(directory.names, ['a.one', 'a.three', 'b.two']);
});

test('a site that nobody declared is shown by its number and is not found', (t) => {
  const directory = new SiteDirectory([sites('a', ['one'])]);
  t.is(directory.name(0x1234), 'undeclared-1234');
  t.false(directory.has(siteOf('a.two')));
  t.is(directory.find('a.two'), undefined);
});

test('an old name leads to the present site and is not listed', (t) => {
  const directory = new SiteDirectory([sites('map', ['breakLeaf'], { breakPage: 'breakLeaf' })]);
  t.is(directory.find('map.breakPage'), siteOf('map.breakLeaf'));
  t.is(directory.name(directory.find('map.breakPage')!), 'map.breakLeaf');
  t.deepEqual(directory.names, ['map.breakLeaf']);
});

test('an alias of a site that is not declared is refused', (t) => {
  const names: readonly string[] = ['breakLeaf'];
  const group = sites('map', names, { breakPage: 'missing' });
  t.throws(() => new SiteDirectory([group]), { instanceOf: InternalError });
});

test('two names with one hash are refused, and one name declared twice is not', (t) => {
  const [one, other] = COLLIDING;
  t.is(siteOf(one), siteOf(other));
  const group = sites('collide', [one.slice(8), other.slice(8)]);
  t.throws(() => new SiteDirectory([group]), { instanceOf: InternalError, message: /one hash/ });
  t.notThrows(() => new SiteDirectory([sites('a', ['one']), sites('a', ['one'])]));
});
