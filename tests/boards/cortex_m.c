/* Cortex-M on qemu's MPS2 boards: start, semihosting, SysTick. */
#include "board.h"

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;
void reset(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, (const void *)reset};

static void semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void board_write(const char *text)
{
    semihosting(0x04, text); /* SYS_WRITE0 */
}

void board_exit(void)
{
    semihosting(0x18, (const void *)0x20026); /* SYS_EXIT, ADP_Stopped_ApplicationExit */
    for (;;) {
    }
}

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xe000e010)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xe000e014)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xe000e018)
#define SYSTICK_TOP 0xffffffu
/* With -icount shift=0 qemu lets an instruction take 1 ns; the boards' clock ticks every 40 ns (25 MHz). */
#define INSTRUCTIONS_A_TICK 40u

uint32_t board_instructions(void)
{
    return (SYSTICK_TOP - SYSTICK_VALUE) * INSTRUCTIONS_A_TICK;
}

void reset(void)
{
    for (uint32_t *to = &data_start, *from = &data_load; to < &data_end; to++, from++) {
        *to = *from;
    }
    for (uint32_t *to = &bss_start; to < &bss_end; to++) {
        *to = 0;
    }
    SYSTICK_RELOAD = SYSTICK_TOP;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 5; /* processor clock, on */
    main();
    board_exit();
}
