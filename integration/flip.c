/* Flips one bit of a file in place. usage: flip FILE PERMILLE BIT: the byte at PERMILLE / 1000 of its size.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    FILE *f = fopen(argv[1], "r+b");
    if (!f || fseek(f, 0, SEEK_END))
        return 1;
    long size = ftell(f);
    if (size <= 0)
        return 3; /* nothing to flip */
    long at = (long)((double)(size - 1) * (double)strtol(argv[2], NULL, 10) / 1000);
    int byte;
    if (fseek(f, at, SEEK_SET) || (byte = fgetc(f)) == EOF || fseek(f, at, SEEK_SET) ||
        fputc(byte ^ (1 << (strtol(argv[3], NULL, 10) & 7)), f) == EOF || fclose(f))
        return 1;
    return 0;
}
