/** How the host's CPU comes to the hypervisor; every call begins so. */
import { sites } from '../../sim/site.ts';

export const hypercallSites = sites('hypercall', ['enter']);
