/*
 * The parameters of MAIL and RCPT, which extensions brought: one row each,
 * parsed by their form alone.  Pure.
 */
#ifndef SMTPD_SMTP_PARAMETERS_H
#define SMTPD_SMTP_PARAMETERS_H

#include "smtpd/smtp_command.h"

/* All that stands behind the path. */
enum smtp_command_result smtp_parameters_mail(
    struct text argument, struct smtp_command *command);
enum smtp_command_result smtp_parameters_rcpt(
    struct text argument, struct smtp_command *command);

/* Takes the next word off `text`, which is separated by single spaces or, from
 * the lenient side of section 4.1.1, more of them. */
bool smtp_parameters_next(struct text *text, struct text *word);

#endif
