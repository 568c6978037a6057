/* SPDX-License-Identifier: Apache-2.0 */
#include "svc/reconcile.h"

static enum reconcile_action ended(const struct reconcile_facts *facts)
{
	return facts->death_recorded ? RECONCILE_END : RECONCILE_LOST;
}

static enum reconcile_action starting(const struct reconcile_facts *facts)
{
	switch (facts->main) {
	case RECONCILE_LIVES: return facts->mute ? RECONCILE_RETRY : RECONCILE_KEEP;
	case RECONCILE_ENDED: return RECONCILE_KEEP;
	case RECONCILE_GONE: return ended(facts);
	case RECONCILE_NONE: break;
	}
	if (facts->task)
		return RECONCILE_KEEP;
	return facts->death_recorded ? RECONCILE_END : RECONCILE_RETRY;
}

static enum reconcile_action up(const struct reconcile_facts *facts)
{
	bool here = facts->main == RECONCILE_LIVES || facts->main == RECONCILE_ENDED;

	return here ? RECONCILE_KEEP : ended(facts);
}

static enum reconcile_action stopping(const struct reconcile_facts *facts)
{
	if (facts->stage == WORLD_STAGE_POST || facts->main == RECONCILE_ENDED)
		return RECONCILE_KEEP;
	if (facts->main == RECONCILE_LIVES)
		return facts->crashed ? RECONCILE_ASK : RECONCILE_KEEP;
	if (facts->populated && facts->own_group)
		return RECONCILE_KILL;
	return facts->main == RECONCILE_GONE ? ended(facts) : RECONCILE_KEEP;
}

enum reconcile_action reconcile_decide(const struct reconcile_facts *facts)
{
	switch (facts->state) {
	case SERVICE_STARTING: return starting(facts);
	case SERVICE_UP: return up(facts);
	case SERVICE_STOPPING: return stopping(facts);
	default: return RECONCILE_RELEASE;
	}
}

const char *reconcile_action_name(uint32_t action)
{
	static const char names[][8] = {
		[RECONCILE_KEEP] = "keep",       [RECONCILE_END] = "end", [RECONCILE_LOST] = "lost",
		[RECONCILE_RETRY] = "retry",     [RECONCILE_ASK] = "ask", [RECONCILE_KILL] = "kill",
		[RECONCILE_RELEASE] = "release",
	};
	_Static_assert(sizeof names / sizeof names[0] == RECONCILE_ACTION_COUNT, "a name each");

	return action < RECONCILE_ACTION_COUNT ? names[action] : "?";
}

bool reconcile_prefers(const struct reconcile_child *a, const struct reconcile_child *b)
{
	if (a->hinted != b->hinted)
		return a->hinted;
	if (a->program != b->program)
		return a->program;
	if (a->leads != b->leads)
		return a->leads;
	return a->start_ticks < b->start_ticks;
}
