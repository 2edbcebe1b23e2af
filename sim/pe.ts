/** One processing element: registers, TLB, regime, and its invalidations that are not complete. */
import { Tlb } from './tlb.ts';

export class Pe {
  readonly index: number;
  readonly tlb = new Tlb();
  /** Executing the guest: only then new guest walks start (spec/arm.md E8). */
  guest = false;
  /** Root frame and VMID of the guest regime, and the root's generation when it was loaded. */
  vttbr = 0;
  vttbrGeneration = 0;
  /** Root frame of the hypervisor's regime. */
  ttbr0 = 0;
  ttbr0Generation = 0;
  /** Invalidations issued here that some PE has not acknowledged. */
  outstanding = 0;
  /** Invalidations of any PE that have not arrived here. */
  arrivals = 0;

  constructor(index: number) {
    this.index = index;
  }

  reset(): void {
    this.tlb.reset();
    this.guest = false;
    this.vttbr = 0;
    this.vttbrGeneration = 0;
    this.ttbr0 = 0;
    this.ttbr0Generation = 0;
    this.outstanding = 0;
    this.arrivals = 0;
  }
}
