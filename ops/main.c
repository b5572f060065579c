#include "ops/ops.h"

int main(int argc, char **argv)
{
    return ldr_ops_main(argc, argv);
}
