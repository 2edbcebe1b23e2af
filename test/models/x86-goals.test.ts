/** Goals of kvm-x86-tdp name sites that it has, once each. */
import test from 'ava';
import { GOALS } from '../../models/kvm-x86-tdp/goals.ts';
import { kvmX86Tdp } from '../../models/kvm-x86-tdp/index.ts';
import { SiteDirectory } from '../../sim/site.ts';

test('goals have ids of their own, and pairs of declared sites', (t) => {
  const names = new Set(new SiteDirectory(kvmX86Tdp.sites).names);
  const sites = GOALS.flatMap(({ pairs }) => pairs.flat());
  t.deepEqual(
    sites.filter((site) => !names.has(site)),
    [],
  );
  t.is(new Set(GOALS.map(({ id }) => id)).size, GOALS.length);
  t.true(GOALS.every(({ pairs }) => pairs.length > 0));
});
