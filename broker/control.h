/* The broker's control socket: status and reload for firnmail(8). */
#ifndef BROKER_CONTROL_H
#define BROKER_CONTROL_H

#include "broker/members.h"

/* Takes over the bound socket `fd`. */
void control_open(struct broker *broker, int fd);
/* Master's answer to reload. */
void control_reloaded(uint64_t tag, uint8_t status, uint64_t generation);

#endif
