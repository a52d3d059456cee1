/* SPDX-License-Identifier: MIT */
/*
 * Mutants: deliberate defects of ours, one a build, that the tests must catch. With
 * `-DBACKOUT_MUTANT=MUTANT_undo_noop` exactly that one is on; a normal build has none and the
 * compiler drops the branches.
 */
#ifndef BACKOUT_BASE_MUTATE_H
#define BACKOUT_BASE_MUTATE_H

/* name, what is broken */
/* clang-format off */
#define MUTANTS(X)                                                  \
	X(probe_blind, "every probe says that all is well")         \
	X(trigger_never, "no trigger ever hits")                    \
	X(undo_noop, "undoing a fault does nothing and says it did") \
	X(fingerprint_blind, "the fingerprint does not see content") \
	X(mask_all, "a mask hides every difference")                \
	X(verdict_felt, "a fault need not be felt")                 \
	X(killed_goes_on, "a killed process still carries out its call") \
	X(power_synced, "a power cut loses nothing")

enum mutant {
	MUTANT_none,
#define X(name, what) MUTANT_##name,
	MUTANTS(X)
#undef X
};
/* clang-format on */

#ifndef BACKOUT_MUTANT
#define BACKOUT_MUTANT MUTANT_none
#endif

#define MUTANT(name) ((int)BACKOUT_MUTANT == (int)MUTANT_##name)

#endif
