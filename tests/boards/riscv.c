/* RISC-V on qemu's virt machine: start, semihosting, the counter of instructions. */
#include "board.h"

void start(void);

static void semihosting(uintptr_t operation, const void *argument)
{
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    /* the three instructions, not compressed and on one page, are what a debugger looks for */
    __asm__ volatile(".balign 16\n.option push\n.option norvc\nslli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop"
                     : "+r"(a0) : "r"(a1) : "memory");
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

uint32_t board_instructions(void)
{
    uintptr_t count;
    /* csrr of minstret (0xb02), spelled out for assemblers that want an extension's name for it */
    __asm__ volatile(".insn i 0x73, 2, %0, x0, -1278" : "=r"(count));
    return (uint32_t)count;
}

/* RAM is zero when qemu starts, and holds the program: nothing to copy */
__attribute__((naked, section(".start"), used)) void start(void)
{
    __asm__ volatile("la sp, stack_top\ncall main\ncall board_exit");
}
