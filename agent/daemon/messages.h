/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TENURE_DAEMON_MESSAGES_H
#define TENURE_DAEMON_MESSAGES_H

/* What the agent says in the journal, by MESSAGE_ID. Never reused, never changed: monitoring
 * matches on them. units/tenure.catalog explains each, for journalctl -x. */

#define MESSAGE_STARTING "d8f4c0e6a5e44d0db17b2d6c02b7a001"
#define MESSAGE_LEADING "d8f4c0e6a5e44d0db17b2d6c02b7a002"
#define MESSAGE_ADOPTED "d8f4c0e6a5e44d0db17b2d6c02b7a003"
#define MESSAGE_ENDING "d8f4c0e6a5e44d0db17b2d6c02b7a004"
#define MESSAGE_DEAD "d8f4c0e6a5e44d0db17b2d6c02b7a005"
#define MESSAGE_RELEASED "d8f4c0e6a5e44d0db17b2d6c02b7a006"
#define MESSAGE_LOST "d8f4c0e6a5e44d0db17b2d6c02b7a007"
#define MESSAGE_STRAY "d8f4c0e6a5e44d0db17b2d6c02b7a008"
#define MESSAGE_NAMESAKE "d8f4c0e6a5e44d0db17b2d6c02b7a009"
#define MESSAGE_ARBITER_CONNECTED "d8f4c0e6a5e44d0db17b2d6c02b7a00a"
#define MESSAGE_ARBITER_LOST "d8f4c0e6a5e44d0db17b2d6c02b7a00b"
#define MESSAGE_ARBITER_NOTICE "d8f4c0e6a5e44d0db17b2d6c02b7a00c"
#define MESSAGE_BLOCKED "d8f4c0e6a5e44d0db17b2d6c02b7a00d"
#define MESSAGE_CLOCK "d8f4c0e6a5e44d0db17b2d6c02b7a00e"
#define MESSAGE_ARBITER_ALARM "d8f4c0e6a5e44d0db17b2d6c02b7a00f"
#define MESSAGE_HELD_UP "d8f4c0e6a5e44d0db17b2d6c02b7a010"
#define MESSAGE_STEP "d8f4c0e6a5e44d0db17b2d6c02b7a011"
#define MESSAGE_STUCK "d8f4c0e6a5e44d0db17b2d6c02b7a012"
#define MESSAGE_UNGUARDED "d8f4c0e6a5e44d0db17b2d6c02b7a013"
#define MESSAGE_UNARMED "d8f4c0e6a5e44d0db17b2d6c02b7a014"
#define MESSAGE_COPY_LOST "d8f4c0e6a5e44d0db17b2d6c02b7a015"
#define MESSAGE_COPY "d8f4c0e6a5e44d0db17b2d6c02b7a016"
#define MESSAGE_LEFT "d8f4c0e6a5e44d0db17b2d6c02b7a018"
#define MESSAGE_DOUBT "d8f4c0e6a5e44d0db17b2d6c02b7a019"
#define MESSAGE_CONFIRMED "d8f4c0e6a5e44d0db17b2d6c02b7a01a"
#define MESSAGE_LEADERLESS "d8f4c0e6a5e44d0db17b2d6c02b7a01b"
#define MESSAGE_MISSED "d8f4c0e6a5e44d0db17b2d6c02b7a01c"

#endif
