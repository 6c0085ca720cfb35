/* This machine. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

void board_write(const char *text)
{
    fputs(text, stdout);
}

void board_exit(void)
{
    exit(0);
}

uint32_t board_instructions(void)
{
    return 0;
}
