/* What a test program asks of the machine it runs on. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void board_write(const char *text);
void board_exit(void);
/* Instructions so far, as far as the machine counts them; wraps. */
uint32_t board_instructions(void);
int main(void);

#endif
