/* SPDX-License-Identifier: Apache-2.0 */
#include "election/healing.h"

/* There is none while a term begins, nor beside an apply, which mends the guards by itself. A
 * reload disturbs the end of a term. But where a unit is unguarded, PID 1 may not be able to end it
 * otherwise: then it is healed once S and K are over. */
usec_t next_heal(const struct member *m)
{
    enum guards_state state = m->host.guards.state;
    bool bare = state == GUARDS_BARE;

    if (state == GUARDS_UNKNOWN || state == GUARDS_WHOLE)
        return USEC_INFINITY;
    switch (m->state) {
    case MEMBER_STANDBY:
        return m->stopping ? USEC_INFINITY : heal_due(&m->heal, false);
    case MEMBER_LEADING:
    case MEMBER_ADOPTING:
        return heal_due(&m->heal, bare);
    case MEMBER_ENDING:
        return bare ? usec_max(heal_due(&m->heal, false),
                               usec_add(m->since, usec_add(m->term.stop, BUDGET_KILL_MAX_USEC)))
                    : USEC_INFINITY;
    case MEMBER_CONFIRMING:
    case MEMBER_STARTING:
    case MEMBER_RELEASING:
        return USEC_INFINITY;
    }
    return USEC_INFINITY;
}

void heal_if_due(struct member *m, const struct member_event *event, struct update *update)
{
    if (event->now < next_heal(m))
        return;
    m->heal.asked = true;
    update->actions |= ACTION_HEAL;
}
