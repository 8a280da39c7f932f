/* bcryptprimitives.dll for a Wine that has none (8.0): programs written in Rust import
 * ProcessPrng, the random numbers of the system, from it. RtlGenRandom is the same source under
 * its older name, SystemFunction036. No C run time: this is a system DLL. */

__declspec(dllimport) unsigned char SystemFunction036(void *buffer, unsigned long nbytes);

#define CHUNK 0x10000ULL

__declspec(dllexport) int ProcessPrng(unsigned char *data, unsigned long long nbytes)
{
    while (nbytes > 0) {
        unsigned long chunk = (unsigned long)(nbytes < CHUNK ? nbytes : CHUNK);
        if (!SystemFunction036(data, chunk))
            return 0;
        data += chunk;
        nbytes -= chunk;
    }
    return 1;
}

int DllMainCRTStartup(void *instance, unsigned long reason, void *reserved)
{
    (void)instance;
    (void)reason;
    (void)reserved;
    return 1;
}
